"""What an unconfigured source seems to be: its kind, labels, class order and patients.

Nothing is trained and no pixel is judged here; what pixels tell comes from the audit.
"""

from raymed.data.proposal.contract import PatientsGuess, Proposal
from raymed.data.proposal.ordering import ClassOrder, order_classes
from raymed.data.proposal.source import propose, proposing

__all__ = ["ClassOrder", "PatientsGuess", "Proposal", "order_classes", "propose", "proposing"]
