"""What is published already: a folder of packages, a repository with metadata, a list, one package."""

from hamkit.prove.rpm.published.places import read_published
from hamkit.prove.rpm.published.record import Interest, Published, PublishedPackage

__all__ = ["Interest", "Published", "PublishedPackage", "read_published"]
