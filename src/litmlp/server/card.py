"""What ``GET /model`` says."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy

import litmlp
from litmlp.model.columns import Column
from litmlp.model.loading import weights_sha256
from litmlp.model.network import Network
from litmlp.server.api import ColumnCard, ModelCard

EPOCH = datetime(1970, 1, 1)
FIRST_DAY, LAST_DAY = (datetime.min - EPOCH).days, (datetime.max - EPOCH).days


def card_of(network: Network, checkpoint: Path) -> ModelCard:
    """What is served.

    Args:
        network: answers.
        checkpoint: the file that it comes from.
    """
    settings, spec = network.settings, network.spec
    return ModelCard(
        task=spec.task,
        classes=None if spec.classes is None else list(spec.classes),
        sample_shape=list(spec.sample_shape),
        outputs=spec.outputs,
        hidden=list(settings.hidden),
        conv=list(settings.conv),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        checkpoint=str(checkpoint),
        weights_sha256=weights_sha256(network.state_dict()),
        litmlp_version=litmlp.__version__,
        input=spec.kind,
        white=None if spec.image is None else spec.image.white,
        stroke=None if spec.image is None else spec.image.stroke,
        columns=None if spec.table is None else [column_card(column) for column in spec.table.columns],
        target=None if spec.table is None else spec.table.target,
    )


def column_card(column: Column) -> ColumnCard:
    """A column, in values that a row may have."""
    card = ColumnCard(name=column.name, kind=column.kind, form=column.form)
    if column.kind == "category":
        card.categories = list(column.categories)
        card.typical = column.categories[int(column.typical)]
    else:
        shown = date_text if column.kind == "date" else shortest
        card.low, card.high, card.typical = shown(column.low), shown(column.high), shown(column.typical)
    return card


def shortest(number: float) -> float:
    """A float32 as the decimal number that stands for it, 39.1 for 39.099998474121094."""
    return float(str(numpy.float32(number)))


def date_text(days: float) -> str:
    """Days since 1970 as ISO 8601, to the minute where they have a time."""
    moment = EPOCH + timedelta(minutes=round(min(max(days, FIRST_DAY), LAST_DAY) * 1440))
    return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat(timespec="minutes")
