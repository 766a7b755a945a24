"""Organizes a folder: understands what is wanted, lets file-manager do it, and tells when it is done."""

from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response

METHODS = ("by_type", "by_date", "by_size")
PARAMETERS = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "format": "path", "description": "The folder to organize."},
        "method": {"enum": list(METHODS), "description": "What decides where a file goes."},
        "dry_run": {"type": "boolean", "description": "Say what would be done, and do nothing."},
    },
}


class SmartOrganizerPlugin(BasePlugin):
    """Organizes the files of a folder by type, date or size."""

    name = "smart-organizer"
    version = "1.0.0"
    handles = ["file_organization", "smart_sorting"]
    dependencies = ["file-manager", "notification-manager"]

    @plugin_handler(
        "organize_files",
        priority=10,
        examples=[
            "organize the files in {path} by {method}",
            "organize the files in {path}",
            "organize {path} by {method}",
            "sort the files in {path} by {method}",
            "sort the stuff in {path}",
            "tidy up {path}",
            "clean up {path}",
            "organize my files",
        ],
        parameters=PARAMETERS,
        effects="write",
        timeout_ms=60 * 60 * 1000,
    )
    async def organize_files(self, intent: Intent) -> Response | None:
        """Organize the files of a folder into folders by type, date or size."""
        asked = intent.context
        path = asked.get("path") or asked.get("location")
        if not path and intent.meta.get("followup"):
            return None  # no answer to the question, so somebody else may know what is meant
        if not path:
            return Response(message="Which folder shall I organize?", requires_followup=True)
        method = asked.get("method") or asked.get("organization_method") or self.settings["default_method"]
        if method not in METHODS:
            known = ", ".join(f"`{one}`" for one in METHODS)
            return Response(success=False, message=f"I cannot organize `{method}`; I know {known}.")
        job = {
            "path": path,
            "method": method,
            "dry_run": bool(asked.get("dry_run", False)),
            "folders": dict(self.settings["folders"]),
        }
        done = await self.call_plugin("file-manager", "organize_files", job, on_progress=self.pass_on)
        if done.success and not job["dry_run"] and done.data.get("files_processed"):
            await self.tell(done.message)
        return done

    async def pass_on(self, step) -> None:
        """Show the person how far file-manager is."""
        await self.progress(step.done, step.total, step.message)

    async def tell(self, message: str) -> None:
        """Say it on the desktop too; a desktop that is not there is no failure."""
        if self.settings["notify"]:
            news = {"title": "Files are organized", "message": message, "type": "success"}
            told = await self.call_plugin("notification-manager", "send_notification", news)
            if not told.success:
                self.logger.warning("nobody was told", reason=told.message)
