# Asks dnf 4 for everything at once and prints one JSON document. Reads the
# cache only: no network, no lock, nothing written.
import io, json, os, sys
import xml.etree.ElementTree as ET
import dnf, dnf.const, dnf.lock, dnf.util, hawkey

TYPES = {hawkey.ADVISORY_SECURITY: "security", hawkey.ADVISORY_BUGFIX: "bugfix",
         hawkey.ADVISORY_ENHANCEMENT: "enhancement", hawkey.ADVISORY_NEWPACKAGE: "newpackage"}


def nevra(p):
    return {"name": p.name, "epoch": str(p.epoch), "version": p.version, "release": p.release, "arch": p.arch}


class Unlocked:
    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass


def load():
    # Neither a private cache nor a lock nor a log file: an ordinary user, or a
    # read-only disk, is no reason to see less.
    dnf.util.am_i_root = lambda: True
    dnf.lock.build_metadata_lock = lambda *args: Unlocked()
    dnf.const.LOG_HAWKEY = "null"
    base = dnf.Base()
    base.conf.read()
    try:
        base.conf.substitutions.update_from_etc(base.conf.installroot, varsdir=base.conf.varsdir)
    except Exception:
        pass
    base.conf.cachedir = base.conf.system_cachedir
    base.conf.logdir = "/dev"
    base.conf.cacheonly = True
    base.read_all_repos()
    wanted = sorted(r.id for r in base.repos.iter_enabled())
    base.fill_sack(load_system_repo=True, load_available_repos=True)
    missing = sorted(set(wanted) - set(r.id for r in base.repos.iter_enabled()))
    return base, missing


def repos(base):
    out = []
    for r in base.repos.iter_enabled():
        d = {"id": r.id, "revision": r._repo.getRevision(), "made": int(r._repo.getMaxTimestamp())}
        try:
            d["advisories"] = bool(r._repo.getMetadataPath("updateinfo"))
        except Exception:
            d["advisories"] = False
        try:
            d["fetched"] = int(r._repo.getTimestamp())
        except Exception:
            pass
        out.append(d)
    return out


def upgrades(sack):
    latest = {}
    for p in sack.query().upgrades().latest():
        latest.setdefault((p.name, p.arch), p)
    return [dict(nevra(p), repo=p.reponame) for _, p in sorted(latest.items())]


def advisories(sack):
    inst = sack.query().installed()
    running = sack.get_running_kernel()
    q = inst.latest()
    if running is not None:  # as "dnf updateinfo list" does: the running kernel counts as well as the newest
        q = q.union(sack.query().filterm(sourcerpm=running.sourcerpm).installed())
    have = {}
    for p in inst:
        k = (p.name, p.arch)
        if k not in have or sack.evr_cmp(p.evr, have[k]) > 0:
            have[k] = p.evr
    found = {}
    for ap in q.get_advisory_pkgs(hawkey.GT):
        adv = ap.get_advisory(sack)
        d = found.get(adv.id)
        if d is None:
            refs = adv.references
            d = found[adv.id] = {
                "id": adv.id, "type": TYPES.get(adv.type, "unknown"), "severity": adv.severity, "title": adv.title,
                "description": adv.description,
                "updated": adv.updated.isoformat() if adv.updated else None,
                "cves": sorted({r.id for r in refs if r.type == hawkey.REFERENCE_CVE}),
                "bugs": sorted({r.id for r in refs if r.type == hawkey.REFERENCE_BUGZILLA}),
                "packages": [], "installed": True}
        n = ap.name + "-" + ap.evr + "." + ap.arch
        if n not in d["packages"]:
            d["packages"].append(n)
        h = have.get((ap.name, ap.arch))
        if h is None or sack.evr_cmp(h, ap.evr) < 0:
            d["installed"] = False  # else the fix is there and only the old kernel still runs
    return found


# libdnf does not say when an advisory was issued and whether it wants a reboot; updateinfo.xml does.
def details(base, want):
    for repo in base.repos.iter_enabled():
        try:
            if not repo._repo.getMetadataPath("updateinfo"):
                continue
            data = repo._repo.getMetadataContent("updateinfo")
        except Exception:
            continue
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        for _, el in ET.iterparse(io.BytesIO(data)):
            if el.tag != "update":
                continue
            a = want.get(el.findtext("id"))
            if a is not None:
                detail(a, el)
            el.clear()


def detail(a, el):
    for tag in ("issued", "updated"):
        e = el.find(tag)
        if e is not None:
            a[tag] = e.get("date")
    a["summary"] = el.findtext("summary")
    a["solution"] = el.findtext("solution")
    if any((e.text or "").strip().lower() in ("true", "1", "") for e in el.iter("reboot_suggested")):
        a["reboot_suggested"] = True
    for r in el.iter("reference"):
        if r.get("type") == "self":
            a["url"] = r.get("href")
    a["fixes"] = ["%s-%s:%s-%s.%s" % (p.get("name"), p.get("epoch") or "0", p.get("version"), p.get("release"), p.get("arch"))
                  for p in el.iter("package") if p.get("arch") != "src"]


def main():
    base, missing = load()
    found = advisories(base.sack)
    problem = None
    try:
        details(base, found)
    except Exception as e:
        problem = "updateinfo.xml: %s" % e
    doc = {"dnf": dnf.VERSION, "missing": missing, "problem": problem, "repos": repos(base), "upgrades": upgrades(base.sack),
           "advisories": [found[k] for k in sorted(found)]}
    json.dump(doc, sys.stdout, separators=(",", ":"), sort_keys=True)  # ASCII, whatever the locale


try:
    main()
    sys.stdout.flush()
except BaseException as e:
    sys.stderr.write("%s\n" % (str(e).strip().splitlines() or [type(e).__name__])[-1])
    sys.stderr.flush()
    os._exit(1)  # dnf's own farewell would hide the reason
