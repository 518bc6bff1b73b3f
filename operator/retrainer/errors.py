"""What can go wrong at the edge, in the words of the house.

    RetrainerError
    ├── Unavailable        the other side did not answer, or said to try again: the round is repeated with a backoff
    └── Refused            the other side will not do this however often it is asked
        ├── Conflict       the object changed since it was read, or its name is taken: look again
        │   └── FieldConflict   a field belongs to another field manager: a person must decide
        └── NotFound       the object, its kind or its namespace is not there

Adapters raise these and nothing else; the core raises none of them.
"""


class RetrainerError(Exception):
    """Base of everything an adapter raises."""


class Unavailable(RetrainerError):
    """The other side did not answer in time or asked to be asked again."""


class Refused(RetrainerError):
    """The other side understood and declined; repeating the same request will not help."""


class Conflict(Refused):
    """The object changed since it was read, or an object of that name exists."""


class FieldConflict(Conflict):
    """A field belongs to another field manager, which holds another value."""


class NotFound(Refused):
    """The object (or its kind, or its namespace) does not exist."""
