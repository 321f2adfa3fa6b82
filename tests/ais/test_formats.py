# ruff: noqa: C408, E501  (headers and messages as files have them)
"""Files of AIS as they come: every known header, packing and habit, and what is wrong with them."""

from __future__ import annotations

import gzip
import json
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from sarship.ais import read_ais
from sarship.errors import AisError

AREA = shapely.box(35.80, 34.85, 35.90, 34.95)
DAY = ("2024-12-31T12:00Z", "2024-12-31T12:00Z")

TABLES = {
    "MarineCadastre": """MMSI,BaseDateTime,LAT,LON,SOG,COG,Heading,VesselName,IMO,CallSign,VesselType,Status,Length,\
Width,Draft,Cargo,TransceiverClass
211000000,2024-12-31T11:59:00,34.90000,35.80000,5.0,360.0,511.0,ONE,IMO9000001,ABCD,70,0,120,20,6.5,70,A
211000000,2024-12-31T12:02:00,34.90000,35.80500,5.0,90.0,91.0,ONE,IMO9000001,ABCD,70,0,120,20,6.5,70,A
""",
    "csv2": """mmsi,base_date_time,longitude,latitude,sog,cog,heading,vessel_name,imo,call_sign,vessel_type,status,\
length,width,draft,cargo,transceiver
211000000,2024-12-31 11:59:00,35.8,34.9,5.0,360.0,511.0,ONE,,,70,0,120,20,,,A
211000000,2024-12-31 12:02:00,35.805,34.9,5.0,90.0,91.0,ONE,,,70,0,120,20,,,
""",
    "Danish": """# Timestamp,Type of mobile,MMSI,Latitude,Longitude,Navigational status,ROT,SOG,COG,Heading,IMO,Callsign,\
Name,Ship type,Cargo type,Width,Length,Type of position fixing device,Draught,Destination,ETA,Data source type,A,B,C,D
31/12/2024 11:59:00,Class A,211000000,34.9,35.8,Under way using engine,,5.0,360.0,511,Unknown,Unknown,ONE,Cargo,,20,120,\
GPS,,ASDF,,AIS,90,30,8,12
31/12/2024 11:59:00,Class A,211000000,34.9,35.8,Under way using engine,,5.0,360.0,511,Unknown,Unknown,ONE,Cargo,,20,120,\
GPS,,ASDF,,AIS,90,30,8,12
31/12/2024 12:02:00,Class A,211000000,34.9,35.805,Unknown value,,5.0,90.0,91,Unknown,Unknown,ONE,Cargo,,20,120,GPS,,ASDF,,\
AIS,90,30,8,12
31/12/2024 12:00:00,Base Station,2190045,34.9,35.8,,,,,,,,,,,,,,,,,AIS,,,,
31/12/2024 12:00:00,AtoN,992191234,34.9,35.8,,,,,,,,,,,,,,,,,AIS,,,,
31/12/2024 12:00:00,Class A,211000000,91.0,181.0,,,,,,,,,,,,,,,,,AIS,,,,
""",
    "Kystverket": """mmsi;lon;lat;date_time_utc;sog;cog;true_heading;nav_status;rot;message_nr;source
211000000;35,8;34,9;2024-12-31T11:59:00;5,0;360;511;0;;1;g
211000000;35,805;34,9;2024-12-31T12:02:00;5,0;90;91;0;;1;s
""",
    "exactEarth": """"MMSI","Message_ID","Repeat_indicator","Time","Vessel_Name","Dimension_to_Bow","Dimension_to_stern",\
"Dimension_to_port","Dimension_to_starboard","SOG","Accuracy","Longitude","Latitude","COG","Heading"
"211000000","5","0","20241231_115800","ONE","90","30","8","12","","","","","",""
"211000000","1","0","20241231_115900","","","","","","5","1","35.8","34.9","360","511"
"211000000","1","0","20241231_120200","","","","","","5","1","35.805","34.9","90","91"
""",
    "MarineTraffic": """MMSI,LAT,LON,SPEED,HEADING,COURSE,STATUS,TIMESTAMP
211000000,34.9,35.8,90,511,360,0,2024-12-31 11:59:00
211000000,34.9,35.805,90,91,90,0,2024-12-31 12:02:00
""",
    "VesselFinder": """MMSI,TIMESTAMP,LATITUDE,LONGITUDE,COURSE,SPEED,HEADING,NAVSTAT,IMO,NAME,CALLSIGN,TYPE,A,B,C,D,\
DRAUGHT,DESTINATION,ETA_AIS,ETA,SRC,ZONE,ECA
211000000,2024-12-31 11:59:00 UTC,34.9,35.8,360,5,511,0,9000001,ONE,ABCD,70,90,30,8,12,6.5,ASDF,,,TER,,0
211000000,2024-12-31 12:02:00 UTC,34.9,35.805,90,5,91,0,9000001,ONE,ABCD,70,90,30,8,12,6.5,ASDF,,,SAT,,0
""",
    "AISHub": """MMSI,TSTAMP,LATITUDE,LONGITUDE,COG,SOG,HEADING,NAVSTAT,IMO,NAME,CALLSIGN,TYPE,A,B,C,D,DRAUGHT,DEST,ETA
211000000,2024-12-31 11:59:00 GMT,34.9,35.8,360,5,511,0,9000001,ONE,ABCD,70,90,30,8,12,6.5,ASDF,
211000000,1735646520,34.9,35.805,90,5,91,0,9000001,ONE,ABCD,70,90,30,8,12,6.5,ASDF,
""",
    "aisstream": "\n".join(
        json.dumps(
            {
                "MessageType": kind,
                "MetaData": {"MMSI": 211000000, "ShipName": "ONE", "time_utc": time},
                "Message": {kind: body},
            }
        )
        for kind, time, body in (
            ("ShipStaticData", "2024-12-31 11:58:00.1 +0000 UTC", {"Name": "ONE", "Dimension": dict(A=90, B=30, C=8, D=12)}),
            ("PositionReport", "2024-12-31 11:59:00 +0000 UTC", dict(Sog=5, Cog=360, TrueHeading=511, Latitude=34.9, Longitude=35.8)),
            ("PositionReport", "2024-12-31 12:02:00 +0000 UTC", dict(Sog=5, Cog=90, TrueHeading=91, Latitude=34.9, Longitude=35.805)),
            ("BaseStationReport", "2024-12-31 12:02:00 +0000 UTC", dict(Latitude=34.9, Longitude=35.805)),
        )
    ),
    "Digitraffic": json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "mmsi": 211000000,
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [longitude, 34.9]},
                    "properties": {"mmsi": 211000000, "sog": 5.0, "cog": cog, "navStat": 0, "heading": heading,
                                   "timestamp": 59, "timestampExternal": time},
                }
                for longitude, cog, heading, time in (
                    (35.8, 360.0, 511, 1735646340000), (35.805, 90.0, 91, 1735646520000)
                )
            ],
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", TABLES)
def test_every_format_is_read_by_its_header_alone(who, tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text(TABLES[who])
    reports = read_ais(path, AREA, DAY)
    table = reports.table
    assert table["mmsi"].tolist() == [211000000] * 2
    assert table["time"].dt.strftime("%d %H:%M").tolist() == ["31 11:59", "31 12:02"]
    assert table["longitude"].tolist() == [35.8, 35.805]
    assert table["latitude"].tolist() == [34.9, 34.9]
    assert table["sog_kn"].tolist() == ([9.0, 9.0] if who == "MarineTraffic" else [5.0, 5.0])
    assert np.isnan(table["cog_deg"][0])
    assert table["cog_deg"][1] == 90.0
    assert np.isnan(table["heading_deg"][0])
    assert table["heading_deg"][1] == 91.0
    if who in {"Danish", "exactEarth", "VesselFinder", "AISHub", "aisstream"}:
        assert table[["a_m", "b_m", "c_m", "d_m", "length_m", "width_m"]].iloc[1].tolist() == [90, 30, 8, 12, 120, 20]
        assert table["name"].tolist() == ["ONE", "ONE"]
    if who == "MarineTraffic":
        assert "tenths of a knot" in reports.notes[0]
    if who == "Danish":
        assert reports.dropped == {
            "base stations": 1, "aids to navigation": 1, "reports without a place": 1, "duplicates": 1
        }  # fmt: skip
        assert table["nav_status"].tolist()[0] == 0
        assert np.isnan(table["nav_status"][1])


def packed(kind, text, folder):
    """A file of a text, packed."""
    path = folder / f"a.csv{kind}"
    if kind == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif kind == ".zst":
        with pa.output_stream(str(path), compression="zstd") as stream:
            stream.write(text.encode())
    elif kind == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("day/aisdk.csv", text)
    elif kind == "bom":
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    elif kind == "wide":
        path.write_bytes(text.encode("utf-16"))
    elif kind == "latin":
        path.write_bytes(text.replace("ONE", "ÅRØ").encode("latin-1"))
    return path


@pytest.mark.parametrize("kind", [".gz", ".zst", ".zip", "bom", "wide", "latin"])
def test_packings_and_encodings(kind, tmp_path):
    table = read_ais(packed(kind, TABLES["Danish"], tmp_path), AREA, DAY).table
    assert len(table) == 2
    assert table["name"].tolist() == ["ÅRØ" if kind == "latin" else "ONE"] * 2


def test_parquet_and_its_points(tmp_path):
    place = {"longitude": [35.8, 9.0], "latitude": [34.9, 55.0]}
    time = pd.to_datetime(["2024-12-31T12:00", "2024-12-31T12:00"])
    frame = pd.DataFrame({"mmsi": [211000000, 211000001], "base_date_time": time, "sog": [1.5, 2.0]})
    pq.write_table(pa.Table.from_pandas(frame.assign(**place)), tmp_path / "plain.parquet")
    gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(*place.values()), crs="EPSG:4326").to_parquet(
        tmp_path / "points.parquet"
    )
    for name in ("plain", "points"):
        assert read_ais(tmp_path / f"{name}.parquet", AREA, DAY).table["mmsi"].tolist() == [211000000]


def sentences(form):
    """The Danish file's vessel as sentences."""
    pyais = pytest.importorskip("pyais")
    here = {"mmsi": 211000000, "lat": 34.9, "speed": 5.0, "status": 0}
    static = pyais.encode_dict(
        {"type": 5, "mmsi": 211000000, "shipname": "ONE", "to_bow": 90, "to_stern": 30, "to_port": 8, "to_starboard": 12},
        talker_id="AI", sentence_type="VDM",
    )  # fmt: skip
    moving = [
        pyais.encode_dict(
            {"type": 1, **here, "lon": longitude, "course": course, "heading": heading},
            talker_id="AI",
            sentence_type="VDM",
        )
        for longitude, course, heading in ((35.8, 360, 511), (35.805, 90, 91))
    ]
    base = pyais.encode_dict(
        {"type": 4, "mmsi": 2190045, "lon": 35.8, "lat": 34.9}, talker_id="AI", sentence_type="VDM"
    )
    stamped = {
        "tag": lambda line, epoch: f"\\s:station,c:{epoch}*00\\{line}",
        "gatehouse": lambda line, epoch: (
            pd.Timestamp(epoch, unit="s").strftime("$PGHP,1,%Y,%m,%d,%H,%M,%S,0,219,,2190047,1,2C*00\n") + line
        ),
        "trailing": lambda line, epoch: f"{line},{epoch}",
        "bare": lambda line, _: line,
    }[form]
    messages = [(static, 1735646280), (moving[0], 1735646340), (moving[1], 1735646520), (base, 1735646520)]
    return "\n".join(stamped(line, epoch) for lines, epoch in messages for line in lines) + "\n"


@pytest.mark.parametrize("form", ["tag", "gatehouse", "trailing"])
def test_nmea_with_a_time(form, tmp_path):
    (tmp_path / "log.nmea").write_text(sentences(form) + "!AIVDM,1,1,,A,broken*00\n")
    reports = read_ais(tmp_path / "log.nmea", AREA, DAY)
    table = reports.table
    assert table["time"].dt.strftime("%d %H:%M").tolist() == ["31 11:59", "31 12:02"]
    assert table["longitude"].round(6).tolist() == [35.8, 35.805]
    assert table[["a_m", "d_m", "length_m"]].iloc[0].tolist() == [90, 12, 120]
    assert np.isnan(table["heading_deg"][0])
    assert table["name"].tolist() == ["ONE", "ONE"]
    assert "1 base stations" in reports.notes[0]


CSV2 = TABLES["csv2"]
HEADER = "MMSI,TIMESTAMP,LAT,LON,SPEED\n"
MOVING = "".join(
    f"211000000,2024-12-31T11:{minute:02}:00,34.9,{35.7 + minute * 308.7 / 91300:.6f},{{}}\n" for minute in range(59)
).replace("{}", "{0}")  # fmt: skip
BAD = {
    "no place": ("MMSI,TIMESTAMP,SPEED\n1,2,3\n", "no column for longitude and latitude; it has MMSI, TIMESTAMP, SPEED"),
    "no time": ("MMSI,LAT,LON\n1,2,3\n", "no column for time"),
    "events": ("start,end,type,position,vessel\n1,2,3,4,5\n", "holds events, not positions"),
    "swapped": (CSV2.replace("longitude,latitude", "latitude,longitude"), "latitude and longitude are swapped"),
    "minutes": (HEADER + "211000000,2024-12-31,20940000,21480000,3\n" * 3, "row 2: latitude 2.094e.07.*no place on Earth"),
    "m/s": (HEADER + MOVING.format(10 * 0.514), "0.5. of those between places: they are in m/s"),
    "statics": (TABLES["exactEarth"].split('"211000000","1"')[0], "no report with a place"),
    "far": (CSV2.replace("35.8", "5.8"), "the nearest is [0-9]+ km from the port, at 2024-12-31 1"),
    "another day": (CSV2.replace("2024-", "2021-"), "at the time of the passes .2024-12-30 11:00 to 2025-01-01 13:00 UTC, with a day around.; the nearest there is of 2021-12-31 1"),
    "day or month": (HEADER + "211000000,03/04/2024 12:00:00,34.9,35.8,1\n", "may be day or month first"),
    "both orders": (HEADER + "".join(f"211000000,{day}/2024 12:00:00,34.9,35.8,1\n" for day in ("31/12", "12/31")), "both orders"),
    "decimal comma": ("MMSI,TIMESTAMP,LAT,LON\n" + "211000000,2024-12-31,34,9,35,8\n" * 9, "9 of 9 lines have not the columns.*row 2"),
    "words": (HEADER + "211000000,noon,34.9,35.8,1\n", "row 2: the time 'noon'"),
    "bare": ("bare", "sentences have no times"),
    "not a table": ("\0\1\2\3" * 99, "in no form of AIS"),
    "json": ('{"mmsi": 211000000, "time": "2024-12-31T12:00:00Z", "lon": 35.8, "lat": 34.9}\n{"mmsi": 2110', "line 2 is no JSON"),
    "empty": ("", "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_what_is_wrong_is_said_in_a_sentence(fault, tmp_path):
    text, message = BAD[fault]
    (tmp_path / "a.csv").write_text(sentences("bare") if text == "bare" else text)
    with pytest.raises(AisError, match=message) as raised:
        read_ais(tmp_path / "a.csv", AREA, DAY)
    assert "a.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_was_cut_off(tmp_path):
    path = packed(".gz", TABLES["Danish"] * 50, tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(AisError, match=r"a\.csv\.gz: cut off or damaged"):
        read_ais(path, AREA, DAY)


def test_own_names_of_columns(tmp_path):
    (tmp_path / "a.csv").write_text("ID,T,Y,X\n211000000,2024-12-31T14:00:00+02:00,34.9,35.8\n")
    names = {"mmsi": "ID", "time": "T", "latitude": "Y", "longitude": "X"}
    assert read_ais(tmp_path, AREA, DAY, columns=names).table["time"].dt.hour.tolist() == [12]
    with pytest.raises(AisError, match="no column 'TIME' for time; it has ID, T, Y, X"):
        read_ais(tmp_path, AREA, DAY, columns=names | {"time": "TIME"})


def test_a_folder_of_files_across_the_antimeridian(tmp_path):
    (tmp_path / "a.csv").write_text(CSV2.replace("35.8", "-179.9"))
    (tmp_path / "b.csv").write_text(CSV2.replace("35.8", "179.9").replace("211000000", "211000001"))
    (tmp_path / "far.csv").write_text(CSV2.replace("35.8", "5.8"))
    (tmp_path / "header.csv").write_text(CSV2.splitlines()[0] + "\n")
    (tmp_path / "notes.md").write_text("nothing")
    area = shapely.MultiPolygon([shapely.box(179.8, 34.8, 180, 35), shapely.box(-180, 34.8, -179.8, 35)])
    assert len(read_ais(tmp_path, area, DAY).table) == 4
