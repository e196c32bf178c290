"""Tables whose names hold all that could break a format."""

from deepdance.evaluation.tables import Column, Row, Table, Tables
from deepdance.metrics.bootstrap import Estimate

NAME = r"a|b_c & <i>50%</i> $x$ {y} ~^\ #*`[z], \"q\""
FIGURE = Estimate(0.93123, 0.92, 0.94)
TABLES = Tables.of(
    ["my run", "other_run"],
    one=Table(
        "First & <b>",
        [Column("iou", "IoU"), Column("ratio", "grey ÷ outline", 2), Column("slope", "slope", slope=True)],
        [
            Row(NAME, "model", {"iou": FIGURE, "ratio": None, "slope": Estimate(0.1, -0.1, 0.3)}),
            Row("real", "real", {"ratio": Estimate(-2.586, -7.156, -1.205)}),
        ],
        "1 − x, so 0 < 1_000.\nMore.",
    ),
    two=Table("Second", [Column("mse", "MSE", 4)], [Row("gru", "model", {"mse": Estimate(12.5)}, 10)]),
)
