"""The models that this image can train: one module each, found by name."""

from importlib import import_module
from pkgutil import iter_modules

from trainer.models.base import ModelDefinition


def known_models() -> tuple[str, ...]:
    """Return the names of all models: the modules of this package that define `MODEL`."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.name != "base"))


def find_model(name: str) -> ModelDefinition | None:
    """Return the model of that name, or None if this image has none."""
    if name not in known_models():
        return None
    model: ModelDefinition = import_module(f"{__name__}.{name}").MODEL
    return model
