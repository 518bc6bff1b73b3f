"""The random world as it is: no invariant breaks in it."""

from tests.property.random_world import RandomWorld

TestRandomWorld = RandomWorld.TestCase
