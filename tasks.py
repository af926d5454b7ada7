"""Puts the tasks of ``hamkit.tasks`` together for Invoke: those that the command line may name."""

import sys

from invoke import Collection
from invoke.main import program

from hamkit.tasks import choice, mistakes

namespace = Collection()
for name in choice.chosen(sys.argv):
    group, _, _ = name.rpartition(".")
    if not group:
        namespace.add_task(choice.load(name))
    else:
        namespace.add_collection(Collection(group, choice.load(name)))

mistakes.adopt(program)
