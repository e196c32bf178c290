"""The contract of a logger, and what this one promises besides."""

from deepdance.events import EpochFinished, RunStarted
from deepdance.interfaces import Options
from deepdance.testing import parametrize_with_checks

from my_logger import COMPONENTS
from my_logger.logger import MyLogger


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()


def test_a_second_command_goes_on_with_the_table(tmp_path):
    for epoch, metrics in enumerate([{"loss": 0.5, "acc": 0.1, "val_loss": 0.6}, {"loss": 0.25}], start=1):
        logger = MyLogger(Options())
        logger(RunStarted("dance", tmp_path))
        logger(EpochFinished("codec", epoch, 2, metrics))
    lines = (tmp_path / "losses.csv").read_text().splitlines()
    assert lines == ["stage,epoch,loss,val_loss", "codec,1,0.5,0.6", "codec,2,0.25,"]
