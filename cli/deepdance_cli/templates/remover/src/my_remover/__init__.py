"""What deepdance reads to know of `my-remover`. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="remover",
        name="my-remover",
        target="my_remover.remover:MyRemover",
        options="my_remover.remover:MyRemoverOptions",
        summary="what differs from the colour at the border is the dancer",
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
