"""What decides which settings a search tries, and which trials it stops."""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import Study
from optuna.trial import FrozenTrial

from litmlp.randomness import mix

SEARCH = 100  # distinguishes what is drawn here from what the fits draw
STARTUP = 10  # trials that are drawn at random, and that no pruner stops


class SeededTPE(BaseSampler):
    """The tree-structured Parzen estimator (Bergstra et al., 2011), whose draws depend on the seed and the trial alone.

    It is multivariate (Falkner et al., 2018), and takes trials under way for bad ones, lest two fits side by side try
    the same. As it has no state of its own, a search that is resumed draws what it would have drawn.

    Args:
        seed: of the search.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.number = -1
        self.space = IntersectionSearchSpace(include_pruned=True)  # looks at each trial once, a sampler's own at all

    def of(self, trial: FrozenTrial) -> TPESampler:
        """The sampler of one trial."""
        if trial.number != self.number:
            self.number = trial.number
            seed = mix(self.seed, SEARCH, trial.number)
            self.sampler = TPESampler(n_startup_trials=STARTUP, multivariate=True, constant_liar=True, seed=seed)
        return self.sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The flags that are drawn together."""
        return {flag: values for flag, values in self.space.calculate(study).items() if not values.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw those flags."""
        return self.of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one flag."""
        return self.of(trial).sample_independent(study, trial, param_name, param_distribution)


def make_pruner(epochs: int) -> BasePruner:
    """Stops a trial whose best validation so far is worse than the median of the others at the same epoch.

    The median rule (Golovin et al., 2017) rather than successive halving or Hyperband: these stop most trials after an
    epoch or two, when a learning rate that is high and going to fall, dropout and wide networks all look worse than
    they end; and some thirty trials wouldn't fill Hyperband's brackets. So nothing is stopped in the first third of the
    epochs, nor among the first ``STARTUP`` trials.

    Args:
        epochs: that a fit has; at most 0 if that isn't known.
    """
    return MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=max(1, epochs // 3), n_min_trials=4)
