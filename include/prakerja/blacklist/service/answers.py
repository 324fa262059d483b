"""What is asked and answered, as models: for the OpenAPI, and to check a question."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from prakerja.programme import programme

NIKS_MAX = programme().blacklist.lookups_max

Nik = Annotated[str, Field(pattern=r"^[0-9]{16}$", description="sixteen digits")]


class Question(BaseModel):
    """Who is asked about. Neither kept nor logged."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"niks": ["3171000000000001"]}}
    )
    niks: Annotated[list[Nik], Field(min_length=1, max_length=NIKS_MAX)]


ABOUT_EXAMPLE: dict[str, Any] = {
    "version": 17,
    "data_as_of": {"tokopedia": "2021-04-09"},
    "created_at": "2021-04-09T23:00:00Z",
    "expires_at": "2021-04-16T23:00:00Z",
    "is_expired": False,
}


class About(BaseModel):
    """The version that an answer is from. A reader refuses one that has expired."""

    version: int
    data_as_of: dict[str, str] = Field(description="platform: latest business date in force")
    created_at: str
    expires_at: str
    is_expired: bool


class Answers(About):
    """Whether each is listed, in the order that was asked."""

    model_config = ConfigDict(json_schema_extra={"example": {**ABOUT_EXAMPLE, "listed": [True, False]}})
    listed: list[bool]


class RangeAnswer(About):
    """What follows the prefix in every listed subject of the range, filled up to a constant number."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {**ABOUT_EXAMPLE, "suffixes": ["0f" * 29 + "3"], "smallest_range": 0, "largest_range": 3}
        }
    )
    suffixes: list[str] = Field(description="59 hex digits each, sorted; what fills the answer up is nobody's")
    smallest_range: int = Field(
        description="how few listed subjects the smallest range of this version has: what an answer hides is hidden "
        "among as many of the listed, and among all people whose subject begins so"
    )
    largest_range: int


class CohortStatistics(BaseModel):
    """A cohort in numbers. A count is null where it is small, or would reveal one that is."""

    cohort: int
    selected: int | None
    purchased: int | None
    held: int | None
    revoked: int | None
    reinstated: int | None


class Statistics(BaseModel):
    """Every cohort that was selected, and when it was counted: the counts of the published statistics."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "counted_at": "2021-04-10T01:00:00Z",
                "cohorts": [
                    {
                        "cohort": 10,
                        "selected": 116261,
                        "purchased": 107100,
                        "held": 38,
                        "revoked": 9123,
                        "reinstated": None,
                    }
                ],
            }
        }
    )
    counted_at: str
    cohorts: list[CohortStatistics]


class Readiness(BaseModel):
    """Whether the list may be relied on, and why not."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "is_ready": True,
                "version": 17,
                "created_at": "2021-04-09T23:00:00Z",
                "next_version_by": "2021-04-11T01:00:00Z",
                "expires_at": "2021-04-16T23:00:00Z",
                "data_as_of": {"tokopedia": "2021-04-09"},
                "is_stale": False,
                "is_expired": False,
                "keys_loaded_at": "2021-04-10T02:00:00Z",
            }
        }
    )
    is_ready: bool
    version: int
    created_at: str
    next_version_by: str
    expires_at: str
    data_as_of: dict[str, str]
    is_stale: bool
    is_expired: bool
    keys_loaded_at: str = Field(description="since then, a key that was revoked may still be taken")


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})
    status: Literal["ok"] = "ok"
