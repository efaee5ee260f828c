//! The paths in a file, and the files that define what they name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::source::tokens;

/// A path such as `["crate", "a", "B"]`.
pub(super) type Segments = Vec<String>;

/// A module with a file of its own.
pub(super) struct Module {
    pub(super) file: PathBuf,
    /// Its `mod NAME;`.
    children: Vec<String>,
    /// The names that its `use` declarations bring into scope, and their paths.
    aliases: BTreeMap<String, Segments>,
    /// The paths in its declarations and code. A re-export counts if the code uses its name too.
    paths: Vec<Segments>,
}

/// The modules of one `lib.rs` or `main.rs`, by their paths in the crate.
pub(super) struct Modules(BTreeMap<Segments, Module>);

// === impl Module ===

impl Module {
    fn read(root: &Path, file: &Path) -> Self {
        let tokens = tokens(&root.join(file));
        let mut module = Self {
            file: file.to_owned(),
            children: Vec::new(),
            aliases: BTreeMap::new(),
            paths: Vec::new(),
        };
        let (mut re_exports, mut words) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "mod" if tokens.get(at + 2).is_some_and(|it| it == ";") => {
                    module.children.push(tokens[at + 1].clone());
                    at += 3;
                }
                "use" if tokens.get(at + 1).is_some_and(|it| it != "<") => {
                    let is_public = at > 0 && ["pub", ")"].contains(&tokens[at - 1].as_str());
                    let mut tree = Vec::new();
                    at = use_tree(&tokens, at + 1, &[], &mut tree);
                    for (alias, path) in tree {
                        module.aliases.insert(alias.clone(), path.clone());
                        if is_public {
                            re_exports.push((alias, path));
                        } else {
                            module.paths.push(path);
                        }
                    }
                }
                _ => {
                    let start = at;
                    while tokens.get(at + 1).is_some_and(|it| it == "::")
                        && tokens.get(at + 2).is_some_and(|it| is_name(it))
                    {
                        at += 2;
                    }
                    let path: Segments = tokens[start..=at].iter().step_by(2).cloned().collect();
                    words.push(path[0].clone());
                    if path.len() > 1 {
                        module.paths.push(path);
                    }
                    at += 1;
                }
            }
        }
        let used = re_exports.into_iter().filter(|(alias, _)| words.contains(alias));
        module.paths.extend(used.map(|(_, path)| path));
        module
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads the tree after `use` into pairs of a name and its path. Returns the position after it.
fn use_tree(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    tree: &mut Vec<(String, Segments)>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut is_named = false;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "{" => {
                while tokens.get(at).is_some_and(|it| it != "}") {
                    at = use_tree(tokens, at + 1, &path, tree);
                }
                return at + 1;
            }
            "as" => {
                tree.push((tokens[at + 1].clone(), path));
                return at + 2;
            }
            "self" if !prefix.is_empty() => is_named = true,
            name if is_name(name) || name == "*" => {
                path.push(name.to_owned());
                is_named = true;
            }
            _ => break,
        }
        at += 1;
    }
    if let Some(name) = path.last().filter(|_| is_named) {
        tree.push((name.clone(), path.clone()));
    }
    at
}

// === impl Modules ===

impl Modules {
    /// Reads a crate, given its `lib.rs` or `main.rs` as a path from `root`.
    pub(super) fn read(root: &Path, file: &Path) -> Self {
        let mut modules = Self(BTreeMap::new());
        modules.add(root, Segments::new(), file, file.parent().expect("a folder"));
        modules
    }

    fn add(&mut self, root: &Path, path: Segments, file: &Path, folder: &Path) {
        let module = Module::read(root, file);
        for child in &module.children {
            let files = [folder.join(format!("{child}.rs")), folder.join(child).join("mod.rs")];
            let found = files.iter().find(|it| root.join(it).exists());
            let found =
                found.unwrap_or_else(|| panic!("{}: no file of `mod {child}`", file.display()));
            let path = path.iter().chain([child]).cloned().collect();
            self.add(root, path, found, &folder.join(child));
        }
        self.0.insert(path, module);
    }

    /// Each file, the files that it uses, and one name that it uses of each.
    pub(super) fn uses(&self) -> BTreeMap<&Path, BTreeMap<&Path, String>> {
        let mut all = BTreeMap::new();
        for (path, module) in &self.0 {
            let uses: &mut BTreeMap<_, _> = all.entry(module.file.as_path()).or_default();
            for (file, name) in module.paths.iter().filter_map(|it| self.resolve(path, it, 0)) {
                if file != module.file {
                    uses.entry(file).or_insert(name);
                }
            }
        }
        all
    }

    /// The file that defines what `path` names in module `from`, and its name there.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<(&Path, String)> {
        let (mut base, rest) = self.start(from, path, depth)?;
        let mut rest = rest.into_iter().peekable();
        while let Some(child) = rest.next_if(|it| self.0[&base].children.contains(it)) {
            base.push(child);
        }
        let module = &self.0[&base];
        // A path to a module itself counts where the code names an item of that module.
        let name = rest.next()?;
        if let Some(alias) = module.aliases.get(&name).filter(|it| it[..] != *path && depth < 16) {
            let alias: Segments = alias.iter().cloned().chain(rest).collect();
            return self.resolve(&base, &alias, depth + 1);
        }
        Some((&module.file, name))
    }

    /// The module where a path of module `from` starts, and the rest of the path. `None` if it
    /// leads to another crate.
    fn start(
        &self,
        from: &[String],
        path: &[String],
        depth: usize,
    ) -> Option<(Segments, Segments)> {
        let first = path.first()?;
        let rest = path[1..].to_vec();
        let mut base = from.to_vec();
        match first.as_str() {
            "crate" => Some((Segments::new(), rest)),
            "self" => Some((base, rest)),
            "super" => {
                base.pop()?;
                match rest.first() {
                    Some(next) if next == "super" => self.start(&base, &rest, depth),
                    _ => Some((base, rest)),
                }
            }
            child if self.0[from].children.iter().any(|it| it == child) => {
                base.push(child.to_owned());
                Some((base, rest))
            }
            name => {
                let alias = self.0[from].aliases.get(name).filter(|it| it[0] != name)?;
                let alias: Segments = alias.iter().cloned().chain(rest).collect();
                (depth < 16).then(|| self.start(from, &alias, depth + 1))?
            }
        }
    }
}
