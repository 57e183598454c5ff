# Tasks that live and end together.
import asyncio


async def together(*coroutines) -> None:  # type: ignore[no-untyped-def]
    """Run them until the first one ends; end the others; raise what ended the first, if it was an error."""
    ended = asyncio.Event()
    errors: "list[BaseException | None]" = []

    async def one(coroutine) -> None:  # type: ignore[no-untyped-def]
        error = None
        try:
            await coroutine
        except Exception as caught:  # noqa: BLE001  it is raised again below
            error = caught
        errors.append(error)
        ended.set()

    running = [asyncio.create_task(one(coroutine)) for coroutine in coroutines]
    try:
        await ended.wait()
    finally:
        for task in running:
            task.cancel()
        for task in running:
            await _ended(task)
    if errors and errors[0] is not None:
        raise errors[0]


async def _ended(task) -> bool:  # type: ignore[no-untyped-def]
    """Wait for a task that was cancelled; False if it had ended by itself."""
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False
