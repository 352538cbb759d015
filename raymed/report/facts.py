"""What a run knows, item by item, of what reporting guidelines ask for."""

from collections.abc import Callable

from raymed.report import method
from raymed.report.material import Material
from raymed.report.recipes import describe_first_weights
from raymed.report.verdict import verdict
from raymed.report.wording import count, listed, with_interval


def _technology(material: Material) -> str:
    names = sorted({recipe.timm_model for recipe in material.experiment.recipes.values()})
    return f"Deep learning: a stacked ensemble of {listed(names)}."


def _size(material: Material) -> str:
    noun = "patient" if material.patients_declared else "image"
    sizes = {
        each["name"]: each["patients" if material.patients_declared else "samples"]
        for each in material.audit["classes"]
    }
    smallest = min(sizes, key=sizes.__getitem__)
    return (
        f"{method.sample(material)} The smallest class, {smallest}, has "
        f"{count(sizes[smallest], noun)}."
    )


def _first_weights(material: Material) -> str:
    told = [
        f"{name}: {describe_first_weights(recipe)}"
        for name, recipe in material.experiment.recipes.items()
    ]
    return f"{'; '.join(told)}. New heads start at or near zero."


def _training(material: Material) -> str:
    return f"{method.models(material)} {method.training(material)}"


def _building(material: Material) -> str:
    return f"{_training(material)} {method.ensemble(material)} {method.partitions(material)}"


def _robustness(material: Material) -> str | None:
    if not material.sharpness:
        return None
    drops = [
        f"{each.member} {each.figures['accuracy_drop']:.3f}"
        for each in material.sharpness
        if each.figures["accuracy_drop"] is not None
    ]
    noise = material.sharpness[0].figures["noise"]
    return f"Accuracy lost when every weight is off by a random {noise:g} of itself: " + (
        f"{'; '.join(drops)}."
    )


def _internal(material: Material) -> str:
    whole = "and on the test split" if material.metrics["test_samples"] else "on no other data"
    return f"On pooled out-of-fold predictions of every development image, {whole}."


def _performance(material: Material) -> str:
    said = verdict(material)
    tiles = [f"{tile.title}: {tile.value} ({tile.interval})" for tile in said.tiles]
    return " ".join([f"{'; '.join(tiles)}, out of fold.", said.test or ""]).strip()


def _by_class(material: Material) -> str:
    scores = material.views[0].scores(material.chosen)
    assert scores is not None
    told = [
        f"{name}: recall {with_interval(found.recall)}, specificity "
        f"{with_interval(found.specificity)}"
        for name, found in scores.per_class.items()
    ]
    return f"{material.views[0].title}. {'; '.join(told)}."


def _errors(material: Material) -> str:
    return "Confusion matrices are under “Where the stack errs”."


def _explanation(material: Material) -> str | None:
    if material.gallery is None or material.gallery.fault:
        return None
    return (
        f"Saliency maps of member {material.gallery.member} for the stack's surest mistakes and "
        "right answers (gradient times activation, Draelos and Carin 2020), as an illustration."
    )


def _details(material: Material) -> str:
    hashes = material.metrics["provenance"]["hashes"]
    told = "; ".join(f"{name} {value[:12]}" for name, value in hashes.items())
    return (
        "The run folder holds configuration, folds, weights and stack; raymed predict applies it. "
        f"Hashes: {told}."
    )


def _sites(material: Material) -> str | None:
    sites = material.audit["sites"]
    return f"Images come from {count(len(sites), 'site')}." if sites else None


def _preparation(material: Material) -> str:
    return f"{method.quality(material)} {method.preprocessing(material)}"


def _outcome(material: Material) -> str:
    ordered = " in this order" if material.metrics["ordinal"] else ""
    return f"The class of an image: {listed(material.metrics['classes'])}{ordered}."


def _predictors(material: Material) -> str:
    return "The image alone; no other predictor enters the model."


def _prediction(material: Material) -> str:
    return (
        "Out of fold by the members' models of the other folds and the meta-learner of the other "
        "folds; a new image by the mean over folds of all members' models, combined by the "
        "meta-learner of all rows."
    )


def _imbalance(material: Material) -> str:
    weighted = [
        name
        for name, recipe in material.experiment.recipes.items()
        if recipe.class_weights is not None
    ]
    after = method.calibration(material)
    if not weighted:
        return "No such method was used."
    return (
        f"The loss of {listed(weighted)} weighs a class inversely to its samples; the stack is "
        f"{after}."
    )


def _output(material: Material) -> str:
    return f"A probability for each class. {method.thresholds(material) or ''}".strip()


def _analyses(material: Material) -> str:
    folds = count(material.metrics["folds"], "fold")
    return f"{method.sample(material)} Each of {folds} trained on all others."


FACTS: dict[str, Callable[[Material], str | None]] = {
    "technology": _technology,
    "sample": method.sample,
    "preprocessing": method.preprocessing,
    "missing": method.missing,
    "partitions": method.partitions,
    "disjoint": method.disjoint,
    "size": _size,
    "models": method.models,
    "software": method.software,
    "first_weights": _first_weights,
    "training": _training,
    "selection": method.training,
    "ensemble": method.ensemble,
    "evaluation": method.evaluation,
    "intervals": method.intervals,
    "robustness": _robustness,
    "explanation": _explanation,
    "internal": _internal,
    "performance": _performance,
    "by_class": _by_class,
    "errors": _errors,
    "details": _details,
    "sites": _sites,
    "preparation": _preparation,
    "outcome": _outcome,
    "predictors": _predictors,
    "building": _building,
    "prediction": _prediction,
    "imbalance": _imbalance,
    "output": _output,
    "analyses": _analyses,
}
"""By the names that checklists.yaml uses; None where this run cannot say."""
