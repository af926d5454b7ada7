"""Puts the tasks of ``hamkit.tasks`` together for Invoke, in the order in which data moves."""

from invoke import Collection
from invoke.main import program

from hamkit.tasks import mistakes
from hamkit.tasks.fuzzing import fuzz
from hamkit.tasks.kernels import facts, patch
from hamkit.tasks.machine import clean, doctor, lint, test
from hamkit.tasks.matrix import compare, matrix
from hamkit.tasks.packages import build, check, image, shell, specs_, srpm
from hamkit.tasks.proof import bench, boot, judge, model
from hamkit.tasks.shipping import release, reproduce, sign, verify, version_bump

namespace = Collection(
    *(doctor, specs_, facts, patch, image, srpm, check, build, boot, judge),
    *(model, fuzz, matrix, compare, reproduce, release, sign, verify, shell, bench, test, lint, clean),
)
namespace.add_collection(Collection("version", version_bump))

mistakes.adopt(program)
