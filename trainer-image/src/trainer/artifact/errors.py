"""Why an artifact cannot be used."""


class ArtifactRejected(Exception):  # noqa: N818 - a verdict on the artifact, not a fault of the program
    """The directory is not a sound artifact: `reason` is CamelCase, `message` one sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
