"""Make the package's own carbon tables from the raw ones: `python tools/make_carbon_tables.py [RAW_DIR]`.

Reads RAW_DIR (default ../shared/data) and the two tables of names that are written by hand, writes the other
python/eco2ai_fast/carbon/data/*.tsv, then prints how many places they hold and how far two data sets agree.
The same input gives the same bytes. Wants the package installed, or PYTHONPATH=python. The form of a table is
told in eco2ai_fast/carbon/tables.py, the choices in docs/carbon-data.md.
"""

from __future__ import annotations

import csv
import hashlib
import statistics
import sys
from pathlib import Path

from eco2ai_fast.carbon.names import plain
from eco2ai_fast.carbon.tables import Table

REPO = Path(__file__).resolve().parent.parent
OUT = REPO / "python" / "eco2ai_fast" / "carbon" / "data"

# Aggregates without an ISO code, by the raw table's abbreviation, which stays valid as a three-letter code.
AGGREGATES = {"WLD": ("WORLD", "World"), "EU27": ("EU27", "European Union"), "EUR": ("EUROPE", "Europe")}

EMBER = "Ember, Yearly Electricity Data (2026), via Our World in Data"
EMBER_CREDIT = "Ember (2026), Yearly Electricity Data, processed by Our World in Data, CC BY 4.0"
EMAPS_CREDIT = (
    "contains information from Electricity Maps (electricitymaps.com), available under the ODbL 1.0"
)
CCF = "Cloud Carbon Footprint, region to zone map (2024-03)"
GOOGLE = "Google, region carbon information 2024: its figure for the region is the figure of this zone"

# Cloud regions that the Apache-2.0 map of Cloud Carbon Footprint leaves blank, does not know, or puts
# elsewhere than the vendor does. A zone stands here only where the city or country in the vendor's public
# list of regions leaves no doubt; where that names a US state with several grids, the state; "" where it
# leaves the grid open.
AWS, AZURE, GCP = (
    f"{vendor}, public list of regions (2026)" for vendor in ("AWS", "Microsoft Azure", "Google Cloud")
)
BY_VENDOR: dict[str, tuple[str, str]] = {
    "aws:ap-east-1": ("HK", AWS),
    "aws:ap-east-2": ("TW", AWS),
    "aws:ap-south-2": ("IN-SO", AWS),  # Hyderabad
    "aws:ap-southeast-4": ("AU-VIC", AWS),  # Melbourne
    "aws:ap-southeast-5": ("MY-WM", AWS),  # Malaysia: Greater Kuala Lumpur
    "aws:ap-southeast-6": ("NZ", AWS),
    "aws:ap-southeast-7": ("TH", AWS),
    "aws:ca-west-1": ("CA-AB", AWS),  # Calgary
    "aws:cn-north-1": ("CN", AWS),
    "aws:cn-northwest-1": ("CN", AWS),
    "aws:eu-central-2": ("CH", AWS),
    "aws:eu-south-2": ("ES", AWS),
    "aws:il-central-1": ("IL", AWS),
    "aws:me-central-1": ("AE", AWS),
    "aws:me-south-1": ("BH", AWS),
    "aws:mx-central-1": ("MX", AWS),
    "azure:austriaeast": ("AT", AZURE),
    "azure:belgiumcentral": ("BE", AZURE),
    "azure:chilecentral": ("CL-SEN", AZURE),
    "azure:denmarkeast": ("DK-DK2", AZURE),  # Copenhagen
    "azure:eastasia": ("HK", AZURE),
    "azure:eastus3": ("", AZURE),  # Georgia; the map puts it into PJM, which does not reach there
    "azure:indonesiacentral": ("ID", AZURE),
    "azure:israelcentral": ("IL", AZURE),
    "azure:italynorth": ("IT-NO", AZURE),
    "azure:jioindiacentral": ("IN-WE", AZURE),  # Nagpur
    "azure:jioindiawest": ("IN-WE", AZURE),  # Jamnagar
    "azure:malaysiawest": ("MY-WM", AZURE),
    "azure:mexicocentral": ("MX", AZURE),
    "azure:newzealandnorth": ("NZ", AZURE),
    "azure:northcentralus": ("US-IL", AZURE),  # the map says MISO, Chicago's utility is in PJM
    "azure:northcentralusstage": ("US-IL", AZURE),
    "azure:polandcentral": ("PL", AZURE),
    "azure:qatarcentral": ("QA", AZURE),
    "azure:southeastasia": ("SG", AZURE),
    "azure:spaincentral": ("ES", AZURE),
    "azure:swedensouth": ("SE-SE4", AZURE),  # Malmö
    "azure:uaecentral": ("AE", AZURE),
    "azure:uaenorth": ("AE", AZURE),
    "azure:unitedstates": ("", AZURE),  # a geography of many grids
    "azure:unitedstateseuap": ("", AZURE),
    "azure:usnorth": ("US-IL", AZURE),
    "azure:westus2": ("US-WA", AZURE),  # the map says PacifiCorp East, which serves Utah
    "azure:westus2stage": ("US-WA", AZURE),
    "azure:westus3": ("US-AZ", AZURE),  # the same for Phoenix
    "gcp:africa-south1": ("ZA", GCP),
    "gcp:asia-east2": ("HK", GCP),
    "gcp:asia-southeast3": ("TH", GCP),
    "gcp:europe-north2": ("SE-SE3", GCP),  # Stockholm
    "gcp:me-central1": ("QA", GCP),
    "gcp:me-central2": ("SA", GCP),
    "gcp:me-west1": ("IL", GCP),
    "gcp:northamerica-south1": ("MX", GCP),
    "gcp:us-central2": ("US-CENT-SWPP", GOOGLE),
    "gcp:us-east1": ("US-CAR-SC", GOOGLE),
    "gcp:us-east2": ("US-SE-SOCO", GOOGLE),
    "gcp:us-west1": ("US-NW-BPAT", GOOGLE),
}
# Names in usage reports that are no region.
NO_REGION = {"aws:unknown", "azure:unknown", "gcp:unknown", "azure:apeast"}

Rows = list[list[str]]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows as text. No cell is ever read as missing: `NA` is Namibia."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def head(
    source: str, licence: str, attribution: str, version: str, basis: str = "", method: str = ""
) -> dict[str, str]:
    """The lines that say where a table is from and on what terms."""
    lines = {"source": source, "licence": licence, "attribution": attribution, "version": version}
    return lines | ({"basis": basis, "method": method} if basis else {})


def raw_version(label: str, path: Path) -> str:
    """The release with twelve digits of the raw file's SHA-256: values of past years are revised in
    silence."""
    return f"{label} (raw sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]})"


def number(text: str) -> str:
    """A value without trailing zeros, none of its digits lost."""
    return f"{float(text):.10g}" if text else ""


def write_table(name: str, meta: dict[str, str], columns: list[str], rows: Rows) -> None:
    """Write data/NAME.tsv: `#key<TAB>value` lines, the column names, the rows sorted by their first cell."""
    lines = [f"#{key}\t{value}" for key, value in meta.items()] + ["\t".join(columns)]
    for row in sorted(rows):
        if len(row) != len(columns) or any("\t" in cell or "\n" in cell for cell in row):
            raise SystemExit(f"{name}: bad row {row}")
        lines.append("\t".join(row))
    keys = [row[0] for row in rows]
    if len(set(keys)) != len(keys):
        raise SystemExit(f"{name}: a key stands twice")
    (OUT / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_table(name: str) -> Table:
    return Table(name, (OUT / f"{name}.tsv").read_text(encoding="utf-8"))


def countries(raw: Path) -> None:
    """The default of a country: the newest yearly value of Ember's 2026 release."""
    path = raw / "ember_2026_countries.csv"
    rows: Rows = []
    for row in read_csv(path):
        zone, name = AGGREGATES.get(row["iso3"], (row["iso2"], row["name"]))
        rows.append([zone, row["iso3"], name, number(row["g_per_kwh"]), row["year"]])
    meta = head(EMBER, "CC-BY-4.0", EMBER_CREDIT, raw_version("Ember 2026", path), "life-cycle", "production")
    write_table("countries", meta, ["zone", "iso3", "name", "g_per_kwh", "year"], rows)


def grid_zones(raw: Path) -> None:
    """Electricity Maps: life-cycle by year, direct of 2024, and the shares of the mix: one ODbL table
    each."""
    path = raw / "electricitymaps_zones_ODbL.csv"
    table = read_csv(path)
    years = [f"{year}" for year in range(2021, 2026)]
    life_cycle = [[row["zone"], row["name"], *(number(row[f"lc_{year}"]) for year in years)] for row in table]
    direct = [[row["zone"], row["name"], number(row["direct_2024"])] for row in table if row["direct_2024"]]
    mix = [[row["zone"], row["cfe_pct_2025"], row["re_pct_2025"], "2025"] for row in table]

    def meta(release: str, basis: str = "") -> dict[str, str]:
        source = "Electricity Maps, yearly data, " + release
        version = raw_version(release, path)
        return head(source, "ODbL-1.0", EMAPS_CREDIT, version, basis, "consumption")

    co2js, green = "as in @tgwf/co2 0.19.0", "release of 2025-01-27, as in Green-Algorithms-data 3.1"
    write_table("odbl_life_cycle", meta(co2js, "life-cycle"), ["zone", "name", *years], life_cycle)
    write_table("odbl_direct", meta(green, "direct"), ["zone", "name", "2024"], direct)
    write_table("odbl_mix", meta(co2js), ["zone", "carbon_free_pct", "renewable_pct", "year"], mix)


def official_subdivisions(raw: Path) -> None:
    """Direct factors that an authority publishes for a state or a province."""
    path = raw / "subnational_official.csv"
    names = {"US-DC": "District of Columbia"}
    table = [
        [row["code"], names.get(row["code"], row["name"]), row["g_per_kwh"], row["year"]]
        for row in read_csv(path)
    ]
    columns = ["zone", "name", "g_per_kwh", "year"]
    epa = "US EPA, eGRID2023, state output emission rate of CO2e"
    meta = head(
        epa, "public domain", "US EPA, eGRID2023", raw_version("eGRID2023", path), "direct", "production"
    )
    write_table("us_states", meta, columns, [row for row in table if row[0].startswith("US-")])
    mee = "China MEE and NBS, provincial factors of 2023 (CO2 only), as republished by CodeCarbon"
    meta = head(mee, "official notice", mee, raw_version("MEE 2023", path), "direct", "unknown")
    write_table("cn_provinces", meta, columns, [row for row in table if row[0].startswith("CN-")])


def google_regions(raw: Path) -> None:
    """Google's own yearly figure of the grid behind each of its regions, and its carbon-free share."""
    path = raw / "gcp_regions_2024.csv"
    rows: Rows = []
    for row in read_csv(path):
        region, value = row["Google Cloud Region"], row["Grid carbon intensity (gCO2eq / kWh)"]
        share = f"{100 * float(row['Google CFE']):g}"
        rows.append([f"gcp:{region}", row["Location"], number(value), "2024", share])
    credit = "Google, region carbon information 2024, Apache-2.0"
    meta = head(
        credit.rpartition(",")[0], "Apache-2.0", credit, raw_version("2024", path), "direct", "unknown"
    )
    write_table("gcp_regions", meta, ["region", "name", "g_per_kwh", "year", "google_carbon_free_pct"], rows)


def cloud_regions(raw: Path) -> None:
    """Which grid zone feeds a region of AWS, Azure or Google Cloud; an empty zone is unknown."""
    path = raw / "cloud_region_to_zone_ccf_apache2.csv"
    known = {}
    for row in read_csv(path):
        known[f"{row['provider']}:{row['region']}".lower()] = (row["em_zone"], CCF)
    known.update(BY_VENDOR)
    rows = [[region, zone, source] for region, (zone, source) in known.items() if region not in NO_REGION]
    credit = "Cloud Carbon Footprint, Apache-2.0; newer regions from the vendors' public lists"
    meta = head(CCF + " and the vendors' lists", "Apache-2.0", credit, raw_version("2024-03", path))
    write_table("cloud_regions", meta, ["region", "zone", "source"], rows)


def eco2ai_levels(raw: Path) -> None:
    """eco2AI's published levels with its own names, and the zone of ours that each name means, where
    there is one."""
    path = raw / "eco2ai_carbon_index.csv"
    codes = zone_by_name()
    by_iso3 = {row["iso3"]: row["zone"] for row in rows_of("countries") + rows_of("country_names")}
    rows: Rows = []
    for row in read_csv(path):
        country = row["alpha_2_code"] or by_iso3[row["alpha_3_code"]]  # Namibia's NA was lost there
        country = "WORLD" if row["country"] == "World" else country
        region = "" if row["region"] == "Whole country" else row["region"].strip()
        key = f"{country}/{region}" if region else country
        zone = (
            codes.get((country, plain(region)), "")
            if region
            else (country if country in by_iso3.values() else "")
        )
        rows.append([key, row["country"], zone, number(row["Emission intensity, kg/MWh"])])
    credit = "eco2AI 0.3.12, table of emission levels, Apache-2.0; it names neither year nor source"
    meta = head(
        "eco2AI 0.3.12, published level",
        "Apache-2.0",
        credit,
        raw_version("0.3.12", path),
        "unknown",
        "unknown",
    )
    write_table("eco2ai_levels", meta, ["region", "country", "zone", "g_per_kwh"], rows)


def eco2ai_names(raw: Path) -> None:
    """The other names by which eco2AI finds a region: `CA`, `Kalifornien`, `Штат Калифорния`.

    Each as it is compared, once in a country: where two regions bear it, eco2AI takes the later one.
    """
    path = raw / "eco2ai_carbon_index.csv"
    region_of: dict[tuple[str, str], str] = {}
    for row in read_csv(path):
        if row["region"] == "Whole country":
            continue
        for name in row["alternative_name"].split(","):
            region_of[row["alpha_2_code"], plain(name)] = f"{row['alpha_2_code']}/{row['region'].strip()}"
    own = {(key[:2], plain(key[3:])) for key in read_table("eco2ai_levels").lines if "/" in key}
    names: dict[str, list[str]] = {}
    for (country, name), region in region_of.items():
        if name and (country, name) not in own:
            names.setdefault(region, []).append(name)
    meta = head(
        "eco2AI 0.3.12, names of regions",
        "Apache-2.0",
        "eco2AI 0.3.12, table of emission levels, Apache-2.0",
        raw_version("0.3.12", path),
    )
    write_table("eco2ai_names", meta, ["region", "names"], [[k, "|".join(sorted(v))] for k, v in names.items()])


def rows_of(name: str) -> list[dict[str, str]]:
    table = read_table(name)
    return [table.row(key) for key in table.lines]


def zone_by_name() -> dict[tuple[str, str], str]:
    """(country, plain name of a subdivision) -> our zone."""
    found: dict[tuple[str, str], str] = {}
    for row in rows_of("odbl_life_cycle") + rows_of("us_states"):
        found[row["zone"][:2], plain(row["name"])] = row["zone"]
    for row in rows_of("subdivisions"):
        found.update({(row["code"][:2], plain(name)): row["zone"] for name in row["names"].split("|")})
    return found


MAKERS = (
    countries,
    grid_zones,
    official_subdivisions,
    google_regions,
    cloud_regions,
    eco2ai_levels,
    eco2ai_names,
)


def print_figures() -> None:
    """What docs/carbon-data.md says about number and agreement."""
    ember = {row["zone"]: float(row["g_per_kwh"]) for row in rows_of("countries")}
    zones = {row["zone"]: float(row["2025"]) for row in rows_of("odbl_life_cycle")}
    states, provinces, cloud = rows_of("us_states"), rows_of("cn_provinces"), rows_of("cloud_regions")
    countries = {zone for zone in ember | zones if len(zone) == 2}
    sub_national = {zone for zone in zones if "-" in zone} | {row["zone"] for row in states + provinces}
    print(f"countries {len(countries)} (Ember {len(ember) - len(AGGREGATES)}), aggregates {len(AGGREGATES)}")
    print(f"sub-national {len(sub_national)}: grid zones {sum('-' in zone for zone in zones)}, ", end="")
    print(f"US states {len(states)}, Chinese provinces {len(provinces)}")
    for provider in ("aws", "azure", "gcp"):
        rows = [row for row in cloud if row["region"].startswith(provider + ":")]
        unknown = [row["region"] for row in rows if not row["zone"]]
        print(f"{provider} regions {len(rows)}, zone unknown {unknown}")
    off = {zone: abs(zones[zone] / ember[zone] - 1) for zone in ember.keys() & zones.keys()}
    agreement("Electricity Maps 2025 against Ember, life-cycle", off)
    google = {row["region"]: float(row["g_per_kwh"]) for row in rows_of("gcp_regions")}
    direct = {row["zone"]: float(row["2024"]) for row in rows_of("odbl_direct")}
    zone_of = {row["region"]: row["zone"] for row in cloud}
    off = {region: abs(direct[zone_of[region]] / value - 1) for region, value in google.items()}
    agreement("Electricity Maps direct 2024 against Google's own figure of a region", off)


def agreement(title: str, off: dict[str, float]) -> None:
    within = [f"{sum(d <= band for d in off.values())} within {100 * band:.0f} %" for band in (0.1, 0.2, 0.5)]
    worst = [f"{key} {100 * off[key]:.0f} %" for key in sorted(off, key=lambda key: -off[key])[:5]]
    median = 100 * statistics.median(off.values())
    print(f"{title}: n {len(off)}, median {median:.1f} %, {', '.join(within)}; worst {', '.join(worst)}")


def main() -> None:
    raw = Path(sys.argv[1]) if len(sys.argv) > 1 else REPO.parent / "shared" / "data"
    if not raw.is_dir():
        raise SystemExit(f"no raw tables in {raw}: give their directory as the argument")
    for make in MAKERS:
        make(raw)
    print_figures()


if __name__ == "__main__":
    main()
