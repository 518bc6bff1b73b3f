"""What the network is compared with: tuned gradient boosting on the same rows, and exponential smoothing a series."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from threadpoolctl import threadpool_limits

from trainer.dataset.preparation import Prepared
from trainer.encoding import Encoder
from trainer.windows import LEVEL, TYPICAL

_CONFIGURATIONS = [
    {"learning_rate": rate, "max_leaf_nodes": leaves, "max_iter": 150, "early_stopping": False, "random_state": 7}
    for rate, leaves in ((0.05, 7), (0.05, 15), (0.1, 31))
]


# Its threads wait for each other by spinning: on a busy machine many are slower than one.
@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def boosted_auc(prepared: Prepared) -> float:
    """Return the held-out AUC of the configuration that is best on the validation rows, refitted on both parts."""
    rows, split = prepared.dataset, prepared.split
    inputs = _inputs(prepared)

    def area(configuration: dict[str, Any], fitted: NDArray[np.bool_], judged: NDArray[np.bool_]) -> float:
        model = HistGradientBoostingClassifier(**configuration).fit(inputs[fitted], rows.labels[fitted])
        return float(roc_auc_score(rows.labels[judged], model.predict_proba(inputs[judged])[:, 1]))

    best = max(_CONFIGURATIONS, key=lambda each: area(each, split.fitted, split.validation))
    return area(best, split.training, split.holdout)


@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def boosted_mae(prepared: Prepared) -> float:
    """Return the held-out mean absolute error, in units of the label, of gradient boosting chosen the same way."""
    rows, split = prepared.dataset, prepared.split
    inputs, level, typical = _inputs(prepared), rows.columns[LEVEL], rows.columns[TYPICAL]
    corrections = rows.labels / level - typical

    def error(configuration: dict[str, Any], fitted: NDArray[np.bool_], judged: NDArray[np.bool_]) -> float:
        model = HistGradientBoostingRegressor(loss="absolute_error", **configuration)
        model.fit(inputs[fitted], corrections[fitted])
        forecasts = level[judged] * (typical[judged] + model.predict(inputs[judged]))
        return float(np.abs(forecasts - rows.labels[judged]).mean())

    best = min(_CONFIGURATIONS, key=lambda each: error(each, split.fitted, split.validation))
    return error(best, split.training, split.holdout)


def smoothed(history: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Return the next days by Holt-Winters with a weekly season: of damped trend and none, the better by AIC."""
    trends: tuple[dict[str, Any], ...] = ({"trend": None}, {"trend": "add", "damped_trend": True})
    models = [ExponentialSmoothing(history, seasonal="add", seasonal_periods=7, **trend) for trend in trends]
    best = min((model.fit() for model in models), key=lambda fit: float(fit.aic))
    forecast: NDArray[np.float64] = np.asarray(best.forecast(horizon))
    return forecast


def _inputs(prepared: Prepared) -> NDArray[np.float32]:
    return Encoder(prepared.features).encode_columns(prepared.dataset.columns, len(prepared.dataset))
