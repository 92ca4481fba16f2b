"""labelled ConfigMaps of a Kubernetes API -> a folder of packs, which is read as any other."""

from __future__ import annotations

from xds.kubernetes.source import KubernetesSource

__all__ = ["KubernetesSource"]
