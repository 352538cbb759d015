"""The methods paragraphs of a paper, written from what a run knows about itself."""

from raymed.report.material import Material
from raymed.report.recipes import describe_recipe
from raymed.report.wording import count, listed, metric_title

LIBRARIES = {"torch": "PyTorch", "ray": "Ray", "numpy": "NumPy", "pyarrow": "PyArrow"}
COMBINED = {
    "mean": "averaged",
    "greedy": "averaged over a greedy selection with replacement (Caruana et al. 2004)",
    "by_class": "averaged with weights of each member for each class",
    "logistic": "combined by L2-regularised multinomial logistic regression on log-probabilities",
    "mlp": "combined by a neural network of two hidden layers on log-probabilities",
}
CALIBRATION = {
    "temperature": "calibrated by a temperature (Guo et al. 2017)",
    "vector": "calibrated by a scale and a bias for each class (vector scaling)",
}


def methods(material: Material) -> list[str]:
    """Write the methods, a paragraph each: data, partitions, models, ensemble, evaluation."""
    return [
        f"{sample(material)} {quality(material)} {preprocessing(material)}",
        partitions(material),
        f"{models(material)} {training(material)}",
        ensemble(material),
        f"{evaluation(material)} {intervals(material)}",
        software(material),
    ]


def sample(material: Material) -> str:
    """Say how many images of how many patients there were, class by class."""
    audit = material.audit
    classes = [
        f"{each['name']}, {_counted(material, each['samples'], each['patients'])}"
        for each in audit["classes"]
    ]
    metrics = material.metrics
    whole = _counted(material, metrics["samples"], metrics["patients"])
    told = f"Models were developed on {whole} in {count(len(classes), 'class')}: "
    test = material.metrics["test_samples"]
    held = _counted(material, test, material.metrics["test_patients"])
    return told + "; ".join(classes) + "." + (f" A test split held {held}." if test else "")


def quality(material: Material) -> str:
    """Say what was checked before training."""
    found = material.audit["duplicates"]
    return (
        "Before training every image was opened and compared with all others by content: "
        f"{count(found['exact'], 'exact duplicate')}, {found['across_patients']} of them across "
        f"patients and {found['across_splits']} across splits."
    )


def missing(material: Material) -> str:
    """Say that nothing is missing, for intake refuses what is."""
    return (
        "An image that is missing or unreadable, or has no label, stops the build before training, "
        "so no analysed image lacks any of them; nothing was imputed."
    )


def preprocessing(material: Material) -> str:
    """Say how an image becomes an input."""
    sizes = sorted({recipe.size for recipe in material.experiment.recipes.values()})
    told = listed([str(size) for size in sizes])
    rule = material.experiment.data.intensity
    said = {"a window of centre and width": rule.window, "values from and to": rule.range}
    said["percentiles"] = rule.percentiles
    deep = [f"{way} {pair[0]:g} and {pair[1]:g}" for way, pair in said.items() if pair is not None]
    clause = f"Values deeper than 8 bits were brought to 8 bits by {deep[0]}. " if deep else ""
    return (
        f"{clause}Images were scaled in their proportions (bicubic), padded with black to squares "
        f"of {told} pixels a side, and normalised as each model's pretrained configuration says."
    )


def partitions(material: Material) -> str:
    """Say how folds and the test split were made, and what is disjoint."""
    folds = count(material.metrics["folds"], "fold")
    data = material.experiment.data
    if data.folds.column is not None:
        told = f"The data came divided into {folds}."
    elif material.patients_declared:
        told = f"Patients were divided at random into {folds}, stratified by class."
    else:
        told = f"Images were divided at random into {folds}, stratified by class."
    return f"{told} {disjoint(material)} {_test_split(material)}"


def disjoint(material: Material) -> str:
    """Say at which level folds are disjoint."""
    if not material.patients_declared:
        return (
            "Patients were not known, so images of one patient may lie in two folds: leakage "
            "between folds was not excluded."
        )
    return (
        "Folds were disjoint by patient: each image was predicted by the models that had not been "
        "trained on any image of its patient (out of fold)."
    )


def _test_split(material: Material) -> str:
    if not material.metrics["test_samples"]:
        return "There was no separate test split."
    test = material.experiment.data.test
    drawn = "It was given with the data"
    if test is not None:
        drawn = f"A share of {test.share:g} of each class's patients was drawn at random for it"
    return (
        f"A test split had no part in training, in the choice among models, in calibration or in "
        f"the choice of thresholds. {drawn}."
    )


def models(material: Material) -> str:
    """Describe each member's model and training."""
    used = [row.name for row in material.rows if row.kind == "member"]
    told = [
        f"{name}: {describe_recipe(recipe)}."
        for name, recipe in material.experiment.recipes.items()
        if name in used
    ]
    noun = "member was" if len(used) == 1 else "members were"
    return " ".join([f"{len(used)} {noun} trained, one model for each fold.", *told])


def training(material: Material) -> str:
    """Say what held for all members, and that nothing of a fold chose its model."""
    return (
        "Every schedule was fixed beforehand and the weights after its last step were used: "
        "nothing about a fold's own images chose its model."
    )


def ensemble(material: Material) -> str:
    """Say how the members became one prediction, and how that way was chosen."""
    wish, chosen = material.experiment.ensemble, material.chosen.name
    rivals = [kind for kind in wish.meta_learners if kind != "majority"]
    told = (
        f"The members' out-of-fold probabilities were {COMBINED[chosen]} "
        f"and {calibration(material)}."
    )
    left = [row.name for row in material.rows if row.facts.get("left_out")]
    if left:
        told += f" A plain mean leaves out {listed(left)}: no better than the class prior."
    if len(rivals) > 1:
        told += (
            f" This was the simplest of {count(len(rivals), 'meta-learner')} "
            f"({listed(rivals)}) whose cross-fitted log loss lay within one standard error, and "
            "within 0.01, of the least."
        )
    return told


def calibration(material: Material) -> str:
    """Say how the stack is calibrated, and for what."""
    kind = material.experiment.ensemble.calibration
    if kind == "none":
        return "not calibrated further"
    each = ", once for single images and once for those averaged over a patient"
    return CALIBRATION[kind] + (each if material.patients_declared else "")


def evaluation(material: Material) -> str:
    """Say which figures were computed, at which level, and with which thresholds."""
    scores = next(iter(material.chosen.oof.values()))
    titles = [metric_title(key) for key in scores.metrics if not key.startswith("binary_")]
    figures = listed([title if title.isupper() else title.lower() for title in titles])
    unit = "patient" if material.patients_declared else "image"
    told = (
        f"The stack was scored on cross-fitted predictions: for each fold the meta-learner was "
        f"fitted on the other folds, disjoint by {unit}. We report {figures}"
    )
    if material.patients_declared:
        told += ", by image and by patient (the mean of a patient's image probabilities)"
    return f"{told}. {thresholds(material) or ''}".rstrip()


def thresholds(material: Material) -> str | None:
    """Say how the threshold of a binary question was chosen; None without one."""
    positive = material.metrics["positive"]
    if not positive:
        return None
    return (
        f"For {listed(list(positive))} against the other classes the threshold with the best "
        "balanced accuracy on out-of-fold predictions was taken, in each fold the one of the other "
        "folds."
    )


def intervals(material: Material) -> str:
    """Say where intervals and p-values come from."""
    unit = "patients" if material.patients_declared else "images"
    return (
        "Intervals are the 2.5th and 97.5th percentiles of "
        f"{material.metrics['draws']:,} bootstrap resamples of {unit}. Paired differences were "
        f"tested by exchanging the two models {unit[:-1]} by {unit[:-1]} (permutation), with "
        "p-values adjusted by Holm's method."
    )


def software(material: Material) -> str:
    """Name the software with its versions, the device and the seed."""
    provenance = material.metrics["provenance"]
    versions = dict(provenance["versions"])
    own = versions.pop("raymed", "")
    others = listed(
        [f"{LIBRARIES.get(name, name)} {version}" for name, version in versions.items()]
    )
    machine = provenance["machine"]
    return (
        f"The analysis was run with raymed {own} ({others}) on {machine.get('cores', '?')} cores, "
        f"device {machine.get('device', '?')}; every random choice follows seed "
        f"{material.metrics['seed']}."
    )


def _counted(material: Material, samples: int, patients: int | None) -> str:
    images = count(samples, "image")
    if not material.patients_declared or patients is None:
        return images
    return f"{images} of {count(patients, 'patient')}"
