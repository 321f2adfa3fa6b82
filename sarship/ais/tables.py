"""Contracts of the tables of AIS: reports, and what became of them beside the radar's vessels."""

from __future__ import annotations

from typing import Final

from sarship.schema import TIME, Column, Table, Variable

__all__ = ["AIS", "AIS_COUNTS", "AIS_MATCHES"]

AIS: Final = Table.of(
    "ais",
    Column("mmsi", "int64", "number of the transponder"),
    Column("track", "int64", "number of the track: two vessels with one MMSI are two tracks"),
    Column("time", TIME, "time of the report"),
    Column("longitude", "float64", "degrees east of the antenna, WGS 84"),
    Column("latitude", "float64", "degrees north of the antenna, WGS 84"),
    Column("sog_kn", "float64", "speed over ground, knots; missing if not known, as in all columns below"),
    Column("cog_deg", "float64", "course over ground, degrees"),
    Column("heading_deg", "float64", "true heading, degrees"),
    Column("nav_status", "float64", "navigational status, 0 … 15: 1 at anchor, 5 moored"),
    Column("ais_class", "str", "A, B or empty"),
    Column("message", "float64", "type of the message"),
    Column("a_m", "float64", "antenna to bow, metres"),
    Column("b_m", "float64", "antenna to stern, metres"),
    Column("c_m", "float64", "antenna to port, metres"),
    Column("d_m", "float64", "antenna to starboard, metres"),
    Column("length_m", "float64", "length over all, metres"),
    Column("width_m", "float64", "width, metres"),
    Column("draught_m", "float64", "draught, metres"),
    Column("name", "str", "name of the vessel"),
    Column("imo", "float64", "IMO number"),
    Column("callsign", "str", "call sign"),
    Column("ship_type", "str", "type, as the file has it"),
    Column("destination", "str", "destination"),
    Column("source", "str", "receiver: terrestrial, satellite or empty"),
    Column("is_false", "bool", "True if the position is false: jammed or made up"),
    Column("file", "str", "name of the file"),
)

AIS_MATCHES: Final = Table.of(
    "ais_matches",
    Column("time", TIME, "start of the pass"),
    Column("pier", "str", "name of the pier; missing elsewhere"),
    Column("vessel", "str", "row of the vessels; missing for a vessel of AIS alone"),
    Column("mmsi", "Int64", "number of the transponder; missing for a vessel of the radar alone"),
    Column("name", "str", "name of the vessel by AIS"),
    Column(
        "state",
        "str",
        "matched, ambiguous, dark or unknown; of AIS alone not_seen, too_small, false_position or outside",
    ),
    Column("p_match", "float64", "chance that the vessel is that MMSI; of one unmatched, that it is any"),
    Column("p_dark", "float64", "chance that the vessel did not transmit, over all passes of its visit"),
    Column("p_hear", "float64", "share of the vessels at rest nearby that were heard at the pass"),
    Column("distance_m", "float64", "radar less AIS, metres: after displacement and antenna"),
    Column("along_m", "float64", "the same along the hull or course"),
    Column("across_m", "float64", "the same to starboard"),
    Column("sigma_m", "float64", "one sigma of the place by AIS along the hull or course, metres"),
    Column("gap_s", "float64", "time from the pass to the nearest report, seconds"),
    Column("length_ais_m", "float64", "length by AIS, metres"),
    Column("length_radar_m", "float64", "length by the radar, metres"),
    Column("sog_kn", "float64", "speed at the pass by AIS, knots"),
    Column("nav_status", "float64", "navigational status of the nearest report"),
    Column("destination", "str", "destination by AIS"),
    Column("displaced_m", "float64", "displacement along the flight that the speed makes, metres"),
    Column("note", "str", "anything that helps to judge it"),
)
"""The geometry of a row is the radar's place, else that of AIS."""

AIS_COUNTS: Final = tuple(
    Variable(name, "1", f"{meaning}; missing where not seen or not asked", ("time", "pier"))
    for name, meaning in (
        ("n_ais", "vessels that AIS knows at the pier, seen by the radar or not"),
        ("n_dark", "counted vessels that AIS does not know, where it would have heard them"),
        ("n_unknown", "counted vessels of which AIS can say nothing"),
        ("n_not_seen", "vessels of AIS, large enough to be seen, that the radar does not show"),
    )
)
"""Variables that the counts have besides `schema.COUNTS` where AIS was given."""
