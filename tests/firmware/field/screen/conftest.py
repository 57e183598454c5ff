from tests.firmware.field.bus.conftest import meters  # noqa: F401  the same emulated buses
