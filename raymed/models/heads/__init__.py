"""Heads: what turns pooled features into logits, a file each."""

from raymed.config import Head
from raymed.models.heads.contract import ClassifierHead, Outputs
from raymed.models.heads.corn import CornHead
from raymed.models.heads.cosine import CosineHead
from raymed.models.heads.evidence import Evidence
from raymed.models.heads.linear import LinearHead
from raymed.models.heads.prototypical import PrototypicalHead

__all__ = [
    "ClassifierHead",
    "CornHead",
    "CosineHead",
    "Evidence",
    "LinearHead",
    "Outputs",
    "PrototypicalHead",
    "build_head",
]


def build_head(head: Head, width: int, classes: int) -> ClassifierHead:
    """Build the head of a recipe over features of `width`; its first loss is ln(classes)."""
    if head.kind == "cosine":
        return CosineHead(
            width, classes, head.scale, learn_scale=head.learn_scale, margin=head.margin
        )
    if head.kind == "prototypical":
        return PrototypicalHead(width, classes, head.shots, head.embedding_dim)
    return CornHead(width, classes) if head.kind == "corn" else LinearHead(width, classes)
