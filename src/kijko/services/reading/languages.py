"""The languages whose syntax is known: their grammar, how a file of them is told, what defines something in them.

In `defines`, each kind is followed by the syntax nodes that are of it. `wraps` are nodes around a definition (exported,
decorated, a template), `imports` bring something in, `leads` belong to what follows them besides comments.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Language:
    """A language that files are in. Without a grammar it is text with a name."""

    name: str
    grammar: str = ""
    """A module, and after a colon the function in it that gives the grammar, where that is not `language`."""
    suffixes: str = ""
    names: str = ""
    shebangs: str = ""
    defines: str = ""
    wraps: str = ""
    imports: str = ""
    leads: str = ""


_C: Final = (
    "function: function_definition; class: class_specifier; struct: struct_specifier union_specifier; "
    "enum: enum_specifier; type: type_definition alias_declaration concept_definition; "
    "namespace: namespace_definition; "
    "macro: preproc_def preproc_function_def; declaration: declaration"
)
_JS: Final = (
    "function: function_declaration generator_function_declaration function_signature; "
    "method: method_definition method_signature abstract_method_signature; "
    "class: class_declaration abstract_class_declaration; interface: interface_declaration; enum: enum_declaration; "
    "type: type_alias_declaration; namespace: internal_module module; "
    "variable: lexical_declaration variable_declaration; field: public_field_definition field_definition"
)
_JS_WRAPS: Final = "export_statement ambient_declaration expression_statement"

LANGUAGES: Final = (
    Language(
        "python",
        "tree_sitter_python",
        "py pyi pyw pyx bzl star",
        "SConstruct SConscript BUILD WORKSPACE",
        "python pypy",
        "function: function_definition; class: class_definition; type: type_alias_statement",
        "decorated_definition",
        "import_statement import_from_statement future_import_statement",
    ),
    Language(
        "javascript",
        "tree_sitter_javascript",
        "js mjs cjs jsx es6",
        "Jakefile",
        "node deno bun",
        _JS,
        _JS_WRAPS,
        "import_statement",
        "decorator",
    ),
    Language(
        "typescript",
        "tree_sitter_typescript:language_typescript",
        "ts mts cts",
        "",
        "ts-node tsx",
        _JS,
        _JS_WRAPS,
        "import_statement import_alias",
        "decorator",
    ),
    Language(
        "tsx",
        "tree_sitter_typescript:language_tsx",
        "tsx",
        "",
        "",
        _JS,
        _JS_WRAPS,
        "import_statement import_alias",
        "decorator",
    ),
    Language(
        "java",
        "tree_sitter_java",
        "java",
        "",
        "",
        "method: method_declaration; constructor: constructor_declaration compact_constructor_declaration; "
        "class: class_declaration record_declaration; interface: interface_declaration annotation_type_declaration; "
        "enum: enum_declaration; field: field_declaration constant_declaration; module: module_declaration",
        "",
        "import_declaration package_declaration",
    ),
    Language(
        "kotlin",
        "tree_sitter_kotlin",
        "kt kts",
        "",
        "",
        "function: function_declaration; constructor: secondary_constructor; class: class_declaration; "
        "object: object_declaration companion_object; property: property_declaration; type: type_alias",
        "",
        "import package_header",
        "file_annotation",
    ),
    Language(
        "scala",
        "tree_sitter_scala",
        "scala sc sbt",
        "",
        "scala",
        "function: function_definition function_declaration; class: class_definition; object: object_definition "
        "package_object; trait: trait_definition; enum: enum_definition; type: type_definition; "
        "value: val_definition var_definition val_declaration given_definition; extension: extension_definition",
        "",
        "import_declaration package_clause",
        "annotation",
    ),
    Language("c", "tree_sitter_c", "c", "", "", _C, "", "preproc_include"),
    Language(
        "cpp",
        "tree_sitter_cpp",
        "cc cpp cxx c++ hh hpp hxx h++ ipp tpp cu cuh ino",
        "",
        "",
        _C,
        "template_declaration",
        "preproc_include using_declaration",
    ),
    Language(
        "objective-c",
        "tree_sitter_objc",
        "mm",
        "",
        "",
        "function: function_definition; method: method_definition method_declaration; class: class_interface "
        "class_implementation; protocol: protocol_declaration; struct: struct_specifier; enum: enum_specifier; "
        "type: type_definition; property: property_declaration",
        "implementation_definition",
        "preproc_include module_import",
    ),
    Language(
        "csharp",
        "tree_sitter_c_sharp",
        "cs csx",
        "",
        "",
        "method: method_declaration local_function_statement operator_declaration conversion_operator_declaration "
        "indexer_declaration; constructor: constructor_declaration destructor_declaration; class: class_declaration "
        "record_declaration; struct: struct_declaration; interface: interface_declaration; enum: enum_declaration; "
        "property: property_declaration event_declaration; field: field_declaration event_field_declaration; "
        "type: delegate_declaration; namespace: namespace_declaration file_scoped_namespace_declaration",
        "",
        "using_directive",
    ),
    Language(
        "go",
        "tree_sitter_go",
        "go",
        "",
        "",
        "function: function_declaration; method: method_declaration; type: type_declaration; "
        "constant: const_declaration; variable: var_declaration",
        "",
        "import_declaration package_clause",
    ),
    Language(
        "rust",
        "tree_sitter_rust",
        "rs",
        "",
        "",
        "function: function_item function_signature_item; struct: struct_item union_item; enum: enum_item; "
        "trait: trait_item; impl: impl_item; module: mod_item; macro: macro_definition; type: type_item "
        "associated_type; constant: const_item static_item",
        "",
        "use_declaration extern_crate_declaration",
        "attribute_item",
    ),
    Language(
        "swift",
        "tree_sitter_swift",
        "swift",
        "",
        "swift",
        "function: function_declaration protocol_function_declaration; constructor: init_declaration "
        "deinit_declaration; class: class_declaration; protocol: protocol_declaration; property: property_declaration "
        "subscript_declaration; type: typealias_declaration",
        "",
        "import_declaration",
    ),
    Language(
        "ruby",
        "tree_sitter_ruby",
        "rb rake gemspec ru podspec",
        "Rakefile Gemfile Vagrantfile Podfile Guardfile Brewfile Fastfile",
        "ruby jruby",
        "method: method singleton_method; class: class singleton_class; module: module",
    ),
    Language(
        "php",
        "tree_sitter_php:language_php",
        "php phtml php5",
        "",
        "php",
        "function: function_definition; method: method_declaration; class: class_declaration; "
        "interface: interface_declaration; trait: trait_declaration; enum: enum_declaration; "
        "field: property_declaration; constant: const_declaration; namespace: namespace_definition",
        "",
        "namespace_use_declaration",
    ),
    Language(
        "bash",
        "tree_sitter_bash",
        "sh bash zsh ksh bats",
        ".bashrc .bash_profile .profile .zshrc PKGBUILD APKBUILD",
        "sh bash zsh dash ksh ash",
        "function: function_definition",
    ),
    Language(
        "powershell",
        "tree_sitter_powershell",
        "ps1 psm1 psd1",
        "",
        "pwsh powershell",
        "function: function_statement; class: class_statement; method: class_method_definition; enum: enum_statement",
    ),
    Language(
        "perl",
        "tree_sitter_perl",
        "pl pm t",
        "",
        "perl",
        "function: subroutine_declaration_statement method_declaration_statement; class: class_statement; "
        "module: package_statement",
        "",
        "use_statement",
    ),
    Language(
        "lua",
        "tree_sitter_lua",
        "lua rockspec",
        "",
        "lua luajit",
        "function: function_declaration; variable: variable_declaration assignment_statement",
    ),
    Language("elixir", "tree_sitter_elixir", "ex exs", "", "elixir", "", "", "", "unary_operator"),
    Language(
        "haskell",
        "tree_sitter_haskell",
        "hs",
        "",
        "runhaskell",
        "function: function bind; signature: signature; class: class; instance: instance; type: data_type newtype "
        "type_synomym type_family",
        "",
        "import imports",
    ),
    Language(
        "ocaml",
        "tree_sitter_ocaml:language_ocaml",
        "ml",
        "",
        "ocaml",
        "function: value_definition external; module: module_definition; class: class_definition; "
        "method: method_definition; type: type_definition exception_definition",
        "",
        "open_module include_module",
    ),
    Language(
        "julia",
        "tree_sitter_julia",
        "jl",
        "",
        "julia",
        "function: function_definition; macro: macro_definition; struct: struct_definition; module: module_definition; "
        "type: abstract_definition primitive_definition",
        "",
        "import_statement using_statement",
    ),
    Language(
        "dart",
        "tree_sitter_dart",
        "dart",
        "",
        "dart",
        "function: function_signature; method: method_signature; class: class_definition mixin_declaration; "
        "enum: enum_declaration; extension: extension_declaration; type: type_alias",
        "",
        "import_or_export library_import",
        "annotation",
    ),
    Language(
        "zig",
        "tree_sitter_zig",
        "zig",
        "",
        "",
        "function: function_declaration; test: test_declaration; variable: variable_declaration",
    ),
    Language(
        "solidity",
        "tree_sitter_solidity",
        "sol",
        "",
        "",
        "function: function_definition modifier_definition fallback_receive_definition; constructor: "
        "constructor_definition; contract: contract_declaration library_declaration; interface: interface_declaration; "
        "struct: struct_declaration; enum: enum_declaration; event: event_definition error_declaration; "
        "variable: state_variable_declaration",
        "",
        "import_directive pragma_directive",
    ),
    Language(
        "sql",
        "tree_sitter_sql",
        "sql ddl dml",
        "",
        "",
        "table: create_table; view: create_view create_materialized_view; function: create_function create_procedure; "
        "trigger: create_trigger; type: create_type; index: create_index; policy: create_policy; schema: create_schema",
        "statement",
    ),
    Language("hcl", "tree_sitter_hcl", "hcl tf tfvars nomad", "", "", "block: block; attribute: attribute"),
    Language("css", "tree_sitter_css", "css", "", "", "rule: rule_set", "", "import_statement"),
    Language(
        "scss",
        "tree_sitter_scss",
        "scss",
        "",
        "",
        "rule: rule_set; mixin: mixin_statement; function: function_statement",
        "",
        "import_statement use_statement",
    ),
    Language("html", "tree_sitter_html", "html htm xhtml vue"),
    Language("svelte", "tree_sitter_svelte", "svelte"),
    Language("json", "tree_sitter_json", "json jsonc json5 geojson webmanifest ipynb", ".babelrc .eslintrc"),
    # Yaml has no grammar here: the kept one crashes the process on deeply nested files.
    Language("yaml", "", "yaml yml", ".clang-format"),
    Language("toml", "tree_sitter_toml", "toml", "Pipfile", "", "table: table table_array_element"),
    Language("markdown", "", "md markdown mdx mkd", "README CHANGELOG CONTRIBUTING"),
    Language("restructuredtext", "", "rst rest"),
    Language("text", "", "txt text log", "LICENSE COPYING NOTICE AUTHORS"),
    Language("xml", "", "xml xsd xsl xslt svg plist csproj vbproj fsproj props targets wsdl xaml"),
    Language("makefile", "", "mk mak", "Makefile makefile GNUmakefile", "make"),
    Language("dockerfile", "", "dockerfile", "Dockerfile Containerfile"),
    Language("cmake", "", "cmake", "CMakeLists.txt"),
    Language("graphql", "", "graphql gql graphqls"),
    Language("protobuf", "", "proto"),
    Language("ini", "", "ini cfg conf properties editorconfig", ".gitconfig .npmrc .pylintrc"),
    Language("groovy", "", "groovy gradle", "Jenkinsfile"),
    Language("r", "", "r rmd", ".Rprofile", "Rscript"),
    Language("clojure", "", "clj cljs cljc edn"),
    Language("erlang", "", "erl hrl", "", "escript"),
    Language("fsharp", "", "fs fsx fsi"),
    Language("fortran", "", "f f90 f95 f03"),
    Language("assembly", "", "s asm"),
    Language("nix", "", "nix"),
    Language("vim", "", "vim", ".vimrc"),
    Language("latex", "", "tex sty cls bib"),
    Language("csv", "", "csv tsv"),
    Language("batch", "", "bat cmd"),
    Language("templates", "", "j2 jinja jinja2 erb ejs hbs mustache tmpl twig liquid"),
    Language("tcl", "", "tcl", "", "tclsh"),
    Language("awk", "", "awk", "", "awk gawk"),
)
BY_NAME: Final = {each.name: each for each in LANGUAGES}
ALIASES: Final = {
    "js": "javascript",
    "ts": "typescript",
    "py": "python",
    "c#": "csharp",
    "c++": "cpp",
    "golang": "go",
    "shell": "bash",
    "sh": "bash",
    "objc": "objective-c",
    "terraform": "hcl",
    "md": "markdown",
    "rb": "ruby",
    "rs": "rust",
    "kt": "kotlin",
    "vue": "html",
}
"""What people call a language besides its name here."""
