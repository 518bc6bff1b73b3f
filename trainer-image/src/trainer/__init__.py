"""The trainer image: everything that touches a training table, a model or the predictions of one."""
