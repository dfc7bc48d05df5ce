"""The commands that fix a finding: how they are spelled for this user."""

from __future__ import annotations

import shlex

from linda_cli.doctor.models import Patient


def install(patient: Patient, *packages: str) -> str:
    """Debian's packages: those are what linda is tested with."""
    sudo = patient.sudo
    return f"{sudo}apt-get update && {sudo}apt-get install -y {' '.join(packages)}"


def kernel_setting(patient: Patient, key: str, value: int) -> str:
    """Set it now and at every boot."""
    file = f"/etc/sysctl.d/60-linda-{key.rpartition('.')[2].replace('_', '-')}.conf"
    return f"echo '{key} = {value}' | {patient.sudo}tee {file} > /dev/null && {patient.sudo}sysctl -q -p {file}"


def quoted(*words: object) -> str:
    """Words for a shell."""
    return shlex.join(str(word) for word in words)
