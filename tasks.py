"""Puts the tasks of ``hamkit.tasks`` together for Invoke, in the order in which data moves."""

from invoke import Collection

from hamkit.tasks.kernels import facts, patch
from hamkit.tasks.machine import clean, doctor, lint, test
from hamkit.tasks.packages import build, check, image, shell, specs_, srpm
from hamkit.tasks.proof import bench, boot, judge, model
from hamkit.tasks.shipping import release

namespace = Collection(
    *(doctor, specs_, facts, patch, image, srpm, check, build, boot, judge),
    *(model, release, shell, bench, test, lint, clean),
)
