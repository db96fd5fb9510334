//! The name that was probably meant.

/// The name nearest to `found`, if one is near enough to be a slip of the hand.
pub fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let norm = |s: &str| s.to_lowercase().replace(['-', ' '], "_");
    let wanted = norm(found);
    let mut best: Option<(usize, &'a str)> = None;
    for name in names {
        let other = norm(name);
        let far = if wanted.chars().count() > 60 { usize::MAX } else { distance(&wanted, &other) };
        let contained = wanted.len() >= 3
            && other.len() >= 3
            && (other.starts_with(&wanted) || other.ends_with(&format!("_{wanted}")) || wanted.starts_with(&other));
        let far = if contained { far.min(1) } else { far };
        let limit = match wanted.chars().count() {
            0..=2 => 1,
            3..=5 => 2,
            _ => 3,
        };
        if far <= limit && far < wanted.chars().count() && best.is_none_or(|(b, _)| far < b) {
            best = Some((far, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Optimal string alignment distance: insertions, deletions, replacements, swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut d = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                d = d.min(before[j - 2] + 1);
            }
            row.push(d);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        assert_eq!(nearest("iptabels", ["ip", "iptables", "sysctl"]), Some("iptables"));
        assert_eq!(nearest("node", ["name", "node_name", "labels"]), Some("node_name"));
        assert_eq!(nearest("podCidr", ["pod_cidr", "name"]), Some("pod_cidr"));
        assert_eq!(nearest("host-gw", ["host_gw", "vxlan"]), Some("host_gw"));
        assert_eq!(nearest("zebra", ["name", "labels"]), None);
        assert_eq!(nearest("", ["a"]), None);
    }
}
