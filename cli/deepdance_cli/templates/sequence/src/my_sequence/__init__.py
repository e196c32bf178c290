"""What deepdance reads to know of this package. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="sequence",
        name="my-sequence",
        target="my_sequence.sequence:MySequence",
        options="my_sequence.sequence:MySequenceOptions",
        summary="goes on as similar latents of the video did",
        api_version=2,
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
