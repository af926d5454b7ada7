		.word	0x0202		# header version
