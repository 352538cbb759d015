"""A recipe in words, as a methods section tells it."""

from raymed.config import Head, Phase, Recipe
from raymed.report.wording import count, listed

WEIGHTS = {
    "hub": "pretrained weights from the timm hub",
    "none": "random first weights",
    "file": "pretrained weights from a file",
}
SCHEDULES = {
    "constant": "constant",
    "cosine": "cosine",
    "one_cycle": "one-cycle",
    "slanted": "slanted triangular",
}
OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD"}
MIXTURES = {"manifold": "manifold mixup", "input": "mixup of images", "cutmix": "CutMix"}
SAMS = {"sam": "SAM", "asam": "ASAM", "looksam": "LookSAM", "msam": "MSAM"}


def describe_recipe(recipe: Recipe) -> str:
    """Tell model, first weights, phases, optimizer, batches and what regularises, in a sentence."""
    parts = [
        _model(recipe),
        f"{recipe.size}-pixel input",
        *_blocks(recipe),
        listed([_phase(phase) for phase in recipe.phases]),
        _optimizer(recipe),
        *_losses(recipe),
        *_regularisation(recipe),
    ]
    return "; ".join(parts)


def describe_first_weights(recipe: Recipe) -> str:
    """Tell where the first weights come from; a new head always starts at or near zero."""
    return WEIGHTS[recipe.pretrained.source]


def _model(recipe: Recipe) -> str:
    weights = describe_first_weights(recipe)
    if recipe.hybrid is None:
        return f"{recipe.timm_model} (timm) with {weights} and {_head(recipe.head)}"
    added = recipe.hybrid
    return (
        f"{recipe.timm_model} (timm) with {weights}, a Transformer over its feature map "
        f"({count(added.layers, 'layer')}, {count(added.heads, 'head')}, {added.embedding_dim} "
        f"wide) and {_head(recipe.head)}"
    )


def _head(head: Head) -> str:
    if head.kind == "cosine":
        learnt = " at first, trained" if head.learn_scale else ""
        margin = f", margin {head.margin:g}" if head.margin else ""
        return f"a new cosine head (scale {head.scale:g}{learnt}{margin})"
    if head.kind == "prototypical":
        return (
            f"a new prototypical head ({count(head.shots, 'support image')} of each class an "
            f"episode, {head.embedding_dim} dimensions; Snell et al. 2017)"
        )
    if head.kind == "corn":
        return "a new head for ordered classes (CORN, Shi et al. 2023)"
    return "a new head"


def _blocks(recipe: Recipe) -> list[str]:
    blocks = recipe.squeeze_excite
    if blocks is None:
        return []
    where = "all stages"
    if blocks.stages is not None:
        several = "s" if len(blocks.stages) > 1 else ""
        where = f"stage{several} {listed([str(stage) for stage in blocks.stages])}"
    return [f"squeeze-and-excitation blocks after {where} (reduction {blocks.reduction})"]


def _phase(phase: Phase) -> str:
    what = "the head alone" if phase.train == "head" else "all layers"
    told = f"{what} for {count(phase.epochs, 'epoch')} at a rate of {phase.lr:g}"
    slower = []
    if phase.factor is not None and phase.factor != 1:
        slower.append(f"each layer group at {phase.factor:g} of the next one's rate")
    elif phase.ratio != 1:
        slower.append(f"falling to {phase.ratio:g} of it at the stem")
    if phase.unfreeze:
        slower.append("unfrozen one layer group an epoch")
    return f"{told} ({', '.join([f'{SCHEDULES[phase.schedule]} schedule', *slower])})"


def _optimizer(recipe: Recipe) -> str:
    asked = recipe.optimizer
    momentum = f", momentum {asked.momentum:g}" if asked.name == "sgd" else ""
    told = f"{OPTIMIZERS[asked.name]} (weight decay {asked.weight_decay:g}{momentum})"
    if recipe.sam is not None:
        told += f" within {SAMS[recipe.sam.variant]} (rho {recipe.sam.rho:g})"
    return f"{told}, batches of {recipe.batch_size}"


def _losses(recipe: Recipe) -> list[str]:
    parts = []
    if recipe.evidential is not None:
        annealed = count(recipe.evidential.anneal, "epoch")
        parts.append(
            "an evidential loss (Sensoy et al. 2018), its price of wrong evidence annealed over "
            f"{annealed}"
        )
    triplet, center = recipe.triplet, recipe.center
    if triplet is not None:
        parts.append(
            f"a triplet loss beside the main one (weight {triplet.weight:g}, margin "
            f"{triplet.margin:g}, {triplet.mining} mining)"
        )
    if center is not None:
        parts.append(
            f"a center loss beside the main one (weight {center.weight:g}, centres moved by "
            f"{center.lr:g})"
        )
    return parts


def _regularisation(recipe: Recipe) -> list[str]:
    parts = []
    if recipe.class_weights is not None:
        parts.append("a loss weighted inversely to class frequency")
    if recipe.label_smoothing:
        parts.append(f"label smoothing {recipe.label_smoothing:g}")
    smoothing = recipe.ordinal_smoothing
    if smoothing is not None:
        parts.append(
            f"ordinal label smoothing ({smoothing.distance} distance, temperature "
            f"{smoothing.temperature:g})"
        )
    if recipe.mixup is not None:
        parts.append(f"{MIXTURES[recipe.mixup.kind]} (alpha {recipe.mixup.alpha:g})")
    if recipe.dropout:
        parts.append(f"dropout {recipe.dropout:g}")
    augmented = describe_augmentation(recipe)
    parts.append(f"augmentation by {augmented}" if augmented else "no augmentation")
    return parts


def describe_augmentation(recipe: Recipe) -> str:
    """Tell what its augmentation does and by how much; empty where it does nothing."""
    asked = recipe.augmentation
    if asked is None:
        return ""
    amount = asked.amount
    flips = "flips" if asked.flip_share == 0.5 else f"flips of {100 * asked.flip_share:g} %"
    of_kind = {"gaussian": "Gaussian", "rician": "Rician", "speckle": "speckle"}[asked.noise_kind]
    told = [
        (amount("rotate"), f"rotation (±{amount('rotate'):g}°)"),
        (amount("shift"), f"shift (±{100 * amount('shift'):g} %)"),
        (amount("scale"), f"zoom (±{100 * amount('scale'):g} %)"),
        (asked.horizontal_flip and asked.flip_share, f"horizontal {flips}"),
        (asked.vertical_flip and asked.flip_share, f"vertical {flips}"),
        (
            amount("elastic"),
            f"smooth deformation (up to {100 * amount('elastic'):g} % of the side)",
        ),
        (amount("blur"), f"motion blur (up to {100 * amount('blur'):g} % of the side)"),
        (amount("bias"), f"a bias field (±{100 * amount('bias'):g} %)"),
        (amount("brightness"), f"brightness (±{amount('brightness'):g})"),
        (amount("contrast"), f"contrast (±{100 * amount('contrast'):g} %)"),
        (amount("gamma"), f"gamma (up to {1 + amount('gamma'):g}, or its inverse)"),
        (amount("colour"), f"a gamma of each channel (±{100 * amount('colour'):g} %)"),
        (amount("noise"), f"{of_kind} noise ({amount('noise'):g})"),
    ]
    return listed([words for asked_for, words in told if asked_for])
