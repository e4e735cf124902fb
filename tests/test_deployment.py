"""What the app is put on servers with: the files agree with each other and with the app, and give no rights away.

`make manifests` holds the Dockerfile and the manifests against the rules of their own tools.
"""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from attnviz.serving.limits import SETTINGS
from attnviz.ui.server.health import health_routes
from attnviz.ui.server.warm_up import WarmUp

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = ROOT / "deploy" / "kubernetes"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    kinds = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert sorted(kinds) == sorted(path.name for path in MANIFESTS.glob("*.yaml") if path.name != "kustomization.yaml")
    parsed = [yaml.safe_load((MANIFESTS / name).read_text(encoding="utf-8")) for name in kinds]
    return {item["kind"]: item for item in parsed}


def test_no_container_may_write_or_gain_rights(compose: dict[str, Any], objects: dict[str, Any]) -> None:
    for name in ("app", "gpu", "replica"):
        service = compose["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    user = re.search(r"^USER (\d+):", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert user and pod["securityContext"]["runAsUser"] == int(user[1]) > 0
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


def test_alone_it_is_reached_from_this_computer_only(compose: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for name in ("app", "gpu") for port in compose["services"][name]["ports"])
    assert "ports" not in compose["services"]["replica"]


def test_several_copies_stand_behind_a_proxy_that_keeps_visitors_at_one(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["replica"]["deploy"]["replicas"] > 1 and "replica" in services["proxy"]["depends_on"]
    caddy = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    # By the names that compose gives to the containers.
    copies = [
        f"{compose['name']}-replica-{1 + number}:8501" for number in range(services["replica"]["deploy"]["replicas"])
    ]
    assert f"to {' '.join(copies)}\n" in caddy and "lb_policy cookie" in caddy
    assert set(services["replica"]["networks"]) <= set(services["proxy"]["networks"])


def test_the_probes_ask_for_addresses_that_the_app_answers(objects: dict[str, Any]) -> None:
    answered = {route.path for route in health_routes(WarmUp(lambda: None))}
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    probes = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert set(probes.values()) <= answered
    assert probes["readinessProbe"] == "/readyz" and probes["livenessProbe"] == "/healthz"
    port = re.search(r"^EXPOSE (\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert port and container["ports"] == [{"name": "http", "containerPort": int(port[1])}]


def test_labels_lead_from_the_service_to_the_copies(objects: dict[str, Any]) -> None:
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Service"]["spec"]["selector"] == labels
    for kind, selector in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert objects[kind]["spec"][selector]["matchLabels"] == labels


def test_every_setting_is_one_that_the_app_knows(compose: dict[str, Any], objects: dict[str, Any]) -> None:
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    named = {variable["name"] for variable in container["env"]}
    for service in compose["services"].values():
        named |= set(service.get("environment", {}))
    own = {name for name in named if name.startswith("ATTNVIZ_")}
    assert own and own <= {setting.variable for setting in SETTINGS.values()}


def test_weaknesses_are_told_again_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = runpy.run_path(str(ROOT / "deploy" / "audit.py"))
    main, pins = program["main"], program["pins"]
    monkeypatch.setattr("sys.argv", ["audit.py", "--offline"])
    report = tmp_path / "audit.json"
    monkeypatch.setitem(main.__globals__, "REPORT", report)
    assert main() == 2 and "Nothing has been asked" in capsys.readouterr().err
    sound = [dict(zip(("name", "version"), pin.split("=="), strict=True), vulns=[]) for pin in pins()]
    report.write_text(json.dumps({"date": "2026-11-30", "pins": pins(), "packages": sound}))
    assert main() == 0 and "0 have known weaknesses" in capsys.readouterr().out
    sound[0]["vulns"] = [{"id": "CVE-1", "fix_versions": ["9"]}]
    report.write_text(json.dumps({"date": "2026-11-30", "pins": pins(), "packages": sound}))
    assert main() == 1 and "CVE-1, mended in 9" in capsys.readouterr().out
    report.write_text(json.dumps({"date": "2026-11-30", "pins": ["torch==1"], "packages": sound}))
    assert main() == 2 and "have changed" in capsys.readouterr().err
