"""Projects that can be packs among others."""

from __future__ import annotations

from tests.projects import CONTRACT, POLICY, SETTINGS, jwks


def member(name: str = "pets", scheme: str = "bearer") -> dict[str, str]:
    """The files of a service's folder, which says nothing of the whole gateway."""
    settings = "\n".join(line for line in SETTINGS.splitlines() if line.startswith(("services", "security")))
    return {
        f"contracts/{name}/v1.yaml": CONTRACT.replace("/pets/v1", f"/{name}/v1").replace("bearer", scheme),
        f"policies/{name}/authz.rego": POLICY.replace("package pets", f"package {name}"),
        "sidegate.yaml": settings.replace("pets: {", f"{name}: {{", 1).replace("bearer", scheme),
        "keys.json": jwks(),
    }
