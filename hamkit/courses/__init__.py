"""Courses: which stages a run has, in which order, for a distribution, a tree, a measurement, a release."""
