"""What the administrator sets, in `RETRAINER_…` variables. Nothing else reads the environment.

No name ends in what Kubernetes itself sets for a Service called `retrainer…` (`RETRAINER_PORT`, `RETRAINER_SERVICE_HOST` and the like).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from yarl import URL

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _split(value: Any) -> Any:  # noqa: ANN401 - pydantic hands over whatever was given
    return tuple(part for raw in value.split(",") if (part := raw.strip())) if isinstance(value, str) else value


class MetricsSource(BaseModel):
    """A Prometheus: the URL that `/api/v1/query` is appended to (it may hold a user and a password), and a bearer token's file.

    Where it allows queries, whoever writes a policy can learn every series it has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, Field(repr=False)]
    token_file: Annotated[Path | None, Field(alias="tokenFile")] = None
    allow_queries: Annotated[bool, Field(alias="allowQueries")] = False

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parsed = URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query_string or parsed.fragment:
            raise ValueError("must be an http or https URL without query and fragment")
        return url


class SlackChannel(BaseModel):
    """A channel of Slack, by name or ID, and the file that holds the token of a bot that may write there (scope `chat:write`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    channel: Annotated[str, Field(min_length=1, max_length=80)]
    token_file: Annotated[Path, Field(alias="tokenFile")]
    url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+/$")] = "https://slack.com/api/"


class NotifierSettings(BaseModel):
    """Where a notifier's notices go."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    slack: SlackChannel


def _as_source(value: Any) -> Any:  # noqa: ANN401 - as above
    return {"url": value} if isinstance(value, str) else value


class Settings(BaseSettings):
    """The operator's settings; a ValidationError says which are missing or wrong, and never shows a value."""

    model_config = SettingsConfigDict(env_prefix="RETRAINER_", frozen=True, hide_input_in_errors=True)

    trainer_image: Annotated[str, Field(min_length=1, description="For training where a policy names none, and always for the monitor.")]
    pod_name: Annotated[str, Field(min_length=1, description="Who reports an Event.")]
    watch_namespaces: Annotated[
        tuple[Name, ...], NoDecode, BeforeValidator(_split), Field(description="Separated by commas; empty is all namespaces.")
    ] = ()
    metrics_sources: Annotated[
        Mapping[Name, Annotated[MetricsSource, BeforeValidator(_as_source)]],
        Field(description='JSON: {"name": "url"} or {"name": {"url": …, "tokenFile": …, "allowQueries": …}}.'),
    ] = {}
    notifiers: Annotated[
        Mapping[Name, NotifierSettings],
        Field(description='JSON: {"name": {"slack": {"channel": …, "tokenFile": …, "url": …}}}: who may be told of transitions.'),
    ] = {}
    gateway_features: Annotated[
        Mapping[str, frozenset[str]],
        Field(description='JSON: {"class": […], "namespace/gateway": […]}: what classes can do beside what they list, or Gateways.'),
    ] = {}
    webhook_listen_port: Annotated[Port, Field(description="Where Alertmanager's notifications arrive.")] = 8080
    webhook_token_file: Annotated[Path | None, Field(description="The token Alertmanager must show; without it, no webhook.")] = None
    alerts_across_namespaces: Annotated[bool, Field(description="Whether an alert matches policies outside its own namespace.")] = False
    health_listen_port: Annotated[Port, Field(description="Where /metrics, /healthz and /readyz are.")] = 8081
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    monitor_interval_s: Annotated[Seconds, Field(description="How often a monitor asks its database.")] = 60.0
    evaluation_interval_s: Annotated[Seconds, Field(description="How often Prometheus is asked for all metric and schema triggers.")] = 15.0
    query_timeout_s: Annotated[Seconds, Field(description="How long Prometheus may take to answer.")] = 10.0
    max_concurrent_runs: Annotated[int, Field(ge=0, description="Runs that may train at once, all policies together; 0 is no limit.")] = 0
    resync_interval_s: Annotated[Seconds, Field(description="How often every policy is looked at though nothing happened.")] = 600.0
    kubeconfig: Annotated[Path | None, Field(description="Outside a cluster; inside, the pod's service account is used.")] = None
