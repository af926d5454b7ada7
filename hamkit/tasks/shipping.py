"""What is published: release, its signatures, and versions."""

import datetime
import sys
from pathlib import Path

from invoke import Context, task

from hamkit import scenarios, show
from hamkit.courses import reproduce as reproducing
from hamkit.courses.distribution import Pipeline
from hamkit.courses.release import ReleaseRequest
from hamkit.courses.release import release as make_release
from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.progress import Reporter
from hamkit.publish import signing
from hamkit.publish import verify as verifying
from hamkit.publish import version as versions
from hamkit.stage import Verdict
from hamkit.tasks.common import TREE, dist_folder, given, help_for, leave, told
from hamkit.tasks.requests import request_for
from hamkit.tasks.sources import either_of, spec_of
from hamkit.tasks.stages import show_plan
from hamkit.tasks.trees import tree_request


@task(help=help_for("distro", "flavour", "scenario", "lock", "out", "json", "dry_run", "renew", "keep"))
def release(
    _: Context,
    distro: str = "",
    flavour: str = "",
    scenario: str = "",
    lock: str = "",
    out: str = "",
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> None:
    """All stages into dist/<distro>/: source RPM, RPMs, boot, proof, report page, checksums."""
    with told(json):
        request = request_for(distro, flavour or None, scenario or None, renew=renew, keep=keep, lock=lock)
        if dry_run:
            return show_plan(Pipeline(request, Reporter()), "prove", json)
        chosen = Path(scenario) if scenario else scenarios.default_scenario()
        done = make_release(ReleaseRequest(request, chosen, dist_folder(out)), Reporter())
        rows = [(s.name, s.verdict, f"{s.seconds:.1f}", s.detail) for s in done.result.stages]
        show.either(json, done.result, f"release for {distro}", show.STAGE_COLUMNS, rows)
        print(f"{done.result.verdict.value}: {done.page}", file=sys.stderr)
        if done.result.verdict is not Verdict.PASS:
            raise leave(show.exit_code(done.result.verdict))
        return None


@task(
    help={"key": "your secret key: fingerprint, or an address that means one"}
    | help_for("distro", "out", "json")
)
def sign(_: Context, distro: str = "", key: str = "", out: str = "", json: bool = False) -> None:
    """Sign a finished release with your GPG key: RPMs, provenance (DSSE), SHA256SUMS."""
    with told(json):
        spec = spec_of(distro)
        secret = given("key", key, "FINGERPRINT (gpg --list-secret-keys shows yours)")
        request = signing.SignRequest(dist_folder(out) / distro, secret, spec.rpm.version_tuple)
        done = signing.sign(request, Reporter())
        show.outcome(json, distro, [done.stage], {"fingerprint": done.fingerprint})


@task(
    help={"key": "fingerprint of the key that must have signed", "out": "the dist folder"}
    | help_for("distro", "json")
)
def verify(_: Context, distro: str = "", key: str = "", out: str = "", json: bool = False) -> None:
    """Verify a release as its receiver: checksums, signatures, provenance, packages."""
    with told(json):
        request = verifying.VerifyRequest(dist_folder(out) / given("distro", distro, "debian-12"), key)
        found = verifying.verify(request)
        rows = [(v.verdict, v.what, v.seen) for v in found]
        show.either(json, found, f"release for {distro}", verifying.COLUMNS, rows)
        code = max(show.exit_code(v.verdict) for v in found)
        if code:
            raise leave(1 if any(v.verdict is Verdict.FAIL for v in found) else code)


@task(
    name="bump",
    help={
        "part": "major, minor or patch",
        "to": "the version itself, X.Y.Z",
        "date": "its date, YYYY-MM-DD; today in UTC when not given",
        "key": "GPG key that signs the tag",
    }
    | help_for("json", "dry_run"),
)
def version_bump(
    _: Context,
    part: str = "",
    to: str = "",
    date: str = "",
    key: str = "",
    json: bool = False,
    dry_run: bool = False,
) -> None:
    """Give what CHANGELOG.md calls unreleased its version: files, commit and tag."""
    with told(json):
        try:
            day = datetime.date.fromisoformat(date) if date else None
        except ValueError as bad:
            raise UserError(f"--date {date}: {bad}", "write it YYYY-MM-DD") from bad
        wanted = versions.plan(versions.BumpRequest(project_root(), part, to, day, key))
        commit = "" if dry_run else versions.carry_out(wanted, project_root())
        title = f"{'would go' if dry_run else 'gone'} from {wanted.old} to {wanted.new}"
        show.either(json, wanted, title, versions.COLUMNS, wanted.rows())
        if commit:
            print(f"{wanted.tag} is {commit}; push it: git push --follow-tags", file=sys.stderr)


@task(
    help={"distro": "distribution: its packages", "tree": TREE}
    | help_for("flavour", "highmem", "toolchain", "lock", "json")
)
def reproduce(
    _: Context,
    distro: str = "",
    tree: str = "",
    flavour: str = "",
    highmem: str = "",
    toolchain: str = "",
    lock: str = "",
    json: bool = False,
) -> None:
    """Everything built twice, the second time as somebody else would, and compared by digest."""
    with told(json):
        either_of(distro, tree)
        if tree:
            asked = tree_request(tree, None, flavour, highmem, toolchain)
            made = reproducing.reproduce_tree(asked, Reporter())
        else:
            made = reproducing.reproduce_distribution(
                request_for(distro, flavour or None, lock=lock), Reporter()
            )
        show.either(json, made, distro or tree, reproducing.COLUMNS, [each.row for each in made.artifacts])
        print(f"{made.stage.verdict.value}: {made.stage.detail}", file=sys.stderr)
        if made.stage.verdict is not Verdict.PASS:
            raise leave(1)
