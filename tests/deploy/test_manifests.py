"""What the image, compose files and Kubernetes manifests say fits together, and fits the server."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from indelible.limits import BACKGROUND_STOP_S, SHUTDOWN_GRACE_S
from indelible.server.config import CONFIG_VARIABLE, NAMES, variable_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text("utf-8")
COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
KUBERNETES = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.stem != "kustomization")
USER = 10_001


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in KUBERNETES:
        for document in documents(path):
            if "template" in document.get("spec", {}):
                yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in COMPOSE:
        for name, service in documents(path)[0]["services"].items():
            yield f"{path.stem} {name}", service


PODS, SERVICES = dict(pods()), dict(services())


def test_the_image_holds_what_the_container_lock_says() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    [extras] = re.findall(r"^CONTAINER_EXTRAS := (.*)$", text, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted = [Requirement(each).name for extra in extras.split() for each in project[extra]]
    locked = re.findall(
        r"^([\w.-]+)(?:\[[\w, -]+\])?==", (ROOT / "requirements" / "container.txt").read_text("utf-8"), re.MULTILINE
    )
    assert set(wanted) <= set(locked)
    assert "--require-hashes" in DOCKERFILE
    assert "requirements/container.txt" in DOCKERFILE


def test_the_image_is_given_the_files_that_it_copies() -> None:
    ignored = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name for names in copied for name in names.split()} == let_through
    assert all((ROOT / name).exists() for name in let_through)


def test_the_image_runs_as_nobody_in_particular() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(rf"^USER {USER}:{USER}$", last, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in last


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_no_more_than_it_needs(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == USER
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]


def test_a_pod_is_given_the_time_that_its_server_takes_to_stop() -> None:
    pod = PODS["indelible"]
    [container] = pod["containers"]
    drain_s = next(float(each["value"]) for each in container["env"] if each["name"] == "INDELIBLE_DRAIN_DELAY_S")
    assert pod["terminationGracePeriodSeconds"] > drain_s + SHUTDOWN_GRACE_S + BACKGROUND_STOP_S
    probe = container["readinessProbe"]
    assert drain_s > probe["periodSeconds"] * probe["failureThreshold"]


def test_every_variable_is_one_that_the_program_reads() -> None:
    known = {CONFIG_VARIABLE, "INDELIBLE_RUNTIME_PASSWORD", *map(variable_of, NAMES)}
    # Those of HAProxy's own configuration are addresses.
    found = {
        name
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix != ".json"
        for name in re.findall(r"INDELIBLE_[A-Z_]+(?![A-Z_0-9])", path.read_text("utf-8"))
    }
    assert found - known == set()


def test_kustomize_takes_every_manifest() -> None:
    [kustomization] = documents(DEPLOY / "kubernetes" / "kustomization.yaml")
    assert sorted(kustomization["resources"]) == sorted(path.name for path in KUBERNETES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_of_compose_may_do_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "mem_limit" in service
    # PostgreSQL's image begins as root, and hands over by itself.
    if "postgres" not in name:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    # Others on the network of this machine get nothing.
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_files_that_compose_mounts_are_there(name: str) -> None:
    mounted = [volume.split(":")[0] for volume in SERVICES[name].get("volumes", ()) if volume.startswith(".")]
    assert [file for file in mounted if not (DEPLOY / "compose" / file).is_file()] == []


def test_compose_gives_a_server_the_time_that_it_takes_to_stop() -> None:
    service = SERVICES["cluster indelible-1"]
    drain_s = float(service["environment"]["INDELIBLE_DRAIN_DELAY_S"])
    assert float(service["stop_grace_period"].removesuffix("s")) > drain_s + SHUTDOWN_GRACE_S + BACKGROUND_STOP_S


def test_prometheus_takes_the_configuration_and_the_rules_as_they_are_mounted(tmp_path: Path) -> None:
    for file in (DEPLOY / "compose" / "prometheus.yml", DEPLOY / "prometheus" / "alerts.yml"):
        shutil.copy(file, tmp_path)
    command = ["promtool", "check", "config", "--lint-fatal", "prometheus.yml"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
