"""Asks whether the pinned versions have known weaknesses, and remembers the answer for where there is no internet.

    python deploy/audit.py              asks, and writes deploy/audit.json beside it
    python deploy/audit.py --offline    says again what was answered, for the very versions that are pinned now

Ends with status 1 where there is a weakness, and with status 2 where it is not known: nothing could be asked, or the
versions have changed since.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "requirements.txt"
REPORT = Path(__file__).with_name("audit.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offline", action="store_true", help="use the answers of the last time")
    if not parser.parse_args().offline:
        ask()
    if not REPORT.exists():
        return unknown("Nothing has been asked yet. Run it once with internet, and without --offline.")
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    if report["pins"] != pins():
        return unknown("The pinned versions have changed since. Run it once with internet, and without --offline.")
    packages = report["packages"]
    known = [package for package in packages if "vulns" in package]
    if len(known) < len(packages):
        missing = ", ".join(package["name"] for package in packages if "vulns" not in package)
        return unknown(f"For {len(packages) - len(known)} of {len(packages)} packages nothing is known: {missing}")
    weak = [package for package in known if package["vulns"]]
    for package in weak:
        for weakness in package["vulns"]:
            mended = ", ".join(weakness["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {weakness['id']}, mended in {mended}")
    print(f"{len(known)} packages asked for on {report['date']}: {len(weak)} have known weaknesses.")
    return int(bool(weak))


def ask() -> None:
    """Writes what pip-audit says of each pinned version."""
    options = [
        "--requirement",
        str(PINS),
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    result = subprocess.run([sys.executable, "-m", "pip_audit", *options], capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(result.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.exit(f"pip-audit gave no answer:\n{result.stderr}")
    report = {"date": datetime.date.today().isoformat(), "pins": pins(), "packages": packages}
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def pins() -> list[str]:
    """The pinned versions, in the order of the file."""
    return re.findall(r"^[\w.-]+==[\w.]+", PINS.read_text(encoding="utf-8"), re.MULTILINE)


def unknown(reason: str) -> int:
    """Says why it is not known whether there are weaknesses."""
    print(reason, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
