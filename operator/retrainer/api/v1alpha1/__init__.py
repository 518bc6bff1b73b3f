"""Group `retrainer.dev`, version `v1alpha1`: both kinds, as frozen pydantic models."""

from retrainer.api.v1alpha1.common import GROUP, VERSION, Condition, seconds
from retrainer.api.v1alpha1.policy import ModelRetrainPolicySpec
from retrainer.api.v1alpha1.policy_status import ModelRetrainPolicyStatus
from retrainer.api.v1alpha1.run import ModelRetrainRunSpec
from retrainer.api.v1alpha1.run_status import ModelRetrainRunStatus

API_VERSION = f"{GROUP}/{VERSION}"
POLICIES = "modelretrainpolicies"
RUNS = "modelretrainruns"

__all__ = [
    "API_VERSION",
    "GROUP",
    "POLICIES",
    "RUNS",
    "VERSION",
    "Condition",
    "ModelRetrainPolicySpec",
    "ModelRetrainPolicyStatus",
    "ModelRetrainRunSpec",
    "ModelRetrainRunStatus",
    "seconds",
]
