"""Whether a customer of a telephone company leaves: a third model, and all of it."""

from trainer.models.base import LiveTable, ModelDefinition, Population
from trainer.tasks import BINARY

MODEL = ModelDefinition(
    name="telco_churn",
    task=BINARY,
    table="telco_customers",
    id_column="customer_id",
    date_column="as_of",
    label_column="churned",
    outcome_column="known_on",
    live=LiveTable(table="telco_customers", id_column="customer_id", key="customerId"),
    population=Population(table="telco_customers", noun="customers"),
    hidden_layers=(32, 16),
)
