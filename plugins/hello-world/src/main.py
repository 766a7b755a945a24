"""Greets people and says what AstrOS is: the smallest plugin that is of use."""

from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response

PERSON = {
    "type": "object",
    "properties": {"user_name": {"type": "string", "description": "Whom to greet."}},
}


class HelloWorldPlugin(BasePlugin):
    """Greets people and says what AstrOS is."""

    name = "hello-world"
    version = "1.0.0"
    handles = ["greetings", "introductions"]

    @plugin_handler(
        "say_hello",
        examples=["say hello", "say hello to {user_name}", "hello", "hello there", "good morning", "greet {user_name}"],
        parameters=PERSON,
        effects="none",
        idempotent=True,
    )
    async def say_hello(self, intent: Intent) -> Response:
        """Greet somebody."""
        name = intent.context.get("user_name", "friend")
        return Response(
            message=f"Hello, {name}! What shall I do for you?",
            data={"greeting": "hello", "timestamp": intent.timestamp},
            suggested_actions=["introduce_astros"],
        )

    @plugin_handler(
        "introduce_astros",
        examples=["introduce yourself", "introduce astros", "who are you", "what is astros", "what can you do"],
        effects="none",
        idempotent=True,
    )
    async def introduce_astros(self, intent: Intent) -> Response:
        """Say what AstrOS is and can do."""
        return Response(
            message="I am AstrOS. Say what you want, and I find the plugin that can do it: "
            "sort a folder, find a file, take the last change back.",
            data={"introduction": True},
        )
