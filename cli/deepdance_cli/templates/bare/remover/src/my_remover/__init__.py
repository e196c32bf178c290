"""What deepdance reads to know of this package. It is imported for `dd plugins list`: keep it light."""

from deepdance.plugins import ComponentSpec, hookimpl

COMPONENTS = (
    ComponentSpec(
        kind="remover",
        name="my-remover",
        target="my_remover.remover:MyRemover",
        options="my_remover.remover:MyRemoverOptions",
        summary="what is darker than 128 is the dancer",
        api_version=2,
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    return COMPONENTS
