"""Every diagnostic code with its title: the one list that program and documentation read.

F0xx syntax · F1xx names and expressions · F2xx rules and statements · F3xx shell text · F4xx config and schema
F5xx planning · F6xx running · F7xx the call · F8xx profiles · W… warnings of the same ranges · L… lint
"""

from __future__ import annotations

from typing import Final

SYNTAX: Final = {
    "F001": "the text cannot be read",
    "F002": "unexpected character",
    "F003": "unexpected text",
    "F004": "unclosed string",
    "F005": "unclosed bracket",
    "F006": "stray bracket",
    "F007": "tabs and spaces mixed",
    "F008": "wrong indentation",
    "F009": "empty block",
    "F010": "nested too deep",
    "F011": "malformed number",
    "F012": "malformed statement",
    "F013": "too many mistakes",
    "F014": "missing comma",
    "F015": "missing colon",
    "F016": "unknown statement",
    "F017": "not the language of a Flowfile",
    "F018": "not available in this version",
    "F019": "missing value",
    "F020": "misplaced line",
    "F021": "layout would change the meaning",
}

EXPRESSIONS: Final = {
    "F101": "unknown name",
    "F102": "name that is not known at this place",
    "F103": "unknown wildcard",
    "F104": "local name in the braces of a plain string",
    "F105": "unknown name in braces",
    "F106": "malformed f-string",
    "F107": "unknown function",
    "F108": "wrong arguments",
    "F109": "habit from another language",
    "F110": "not available yet",
    "F111": "ill-chosen local name",
    "F112": "unknown key or column",
    "F113": "unknown method",
    "F114": "values that do not fit together",
    "F115": "malformed quantity",
    "F116": "no such element",
    "F117": "value that cannot be converted",
    "F118": "too much to compute",
    "F119": "nested too deeply",
    "F120": "number too large",
    "F121": "malformed regular expression",
    "F122": "regular expression that takes too long",
    "F123": "file that cannot be read",
    "F124": "file with unexpected content",
    "F125": "not exactly one row",
    "F126": "constant that needs itself",
    "F127": "value that is no file",
    "F128": "wildcard without a value",
    "F129": "imported function failed",
    "F130": "unknown function of an imported module",
    "F131": "environment variable that cannot be read",
    "F132": "value that cannot be put into text",
    "F133": "division by zero",
    "F134": "malformed format",
    "F135": "missing comma between strings",
    "F136": "name given twice",
    "W101": "glob without a match",
}

RULES: Final = {
    "F201": "unknown directive",
    "F202": "directive given twice",
    "F203": "two actions",
    "F204": "not available in this version",
    "F205": "name defined twice",
    "F206": "capitals where they do not belong, or missing",
    "F207": "reserved name",
    "F208": "file that is named but does not exist",
    "F209": "include that cannot be followed",
    "F210": "program too old",
    "F211": "environment variable not set",
    "F212": "import that cannot be done",
    "F213": "malformed constraint of a wildcard",
    "F214": "misplaced constraint of a wildcard",
    "F215": "contradictory order of rules",
    "F216": "malformed output path",
    "F217": "outputs with different wildcards",
    "F218": "file given twice in a rule",
    "F219": "two rules make one file",
    "F220": "output below the folder of another rule",
    "F221": "rule needs its own output",
    "F222": "flag that does not fit",
    "F223": "malformed entry of a directive",
    "F224": "directive with a value of the wrong kind",
    "F225": "malformed resource",
    "F227": "malformed name of code",
    "F228": "Python that cannot be read",
    "F229": "template without exactly one output",
    "F230": "two default rules",
    "F231": "f-string where a template stands",
    "F232": "value that is not known at load",
    "F233": "directive that does not fit the rule",
    "F234": "unknown event",
    "W213": "constraint that matches the empty text",
    "W233": "directive without effect",
}

SHELL: Final = {
    "F301": "unknown placeholder",
    "F302": "placeholder names an entry that is not there",
    "F303": "placeholder without its section",
    "F304": "wildcard of another rule",
    "F305": "unknown format of a placeholder",
    "F306": "placeholder where the quoting cannot be told",
    "F307": "value that cannot be inserted",
    "F308": "param as written holds what the shell reads",
    "F309": "placeholder of a job where there is none",
    "F310": "shell text nests too deeply",
    "F311": "shell text too long",
    "W301": "braces that are no placeholder",
    "W302": "doubled braces",
    "W303": "quote that is never closed",
    "W304": "placeholder that inserts nothing",
    "W305": "call in braces",
}

CONFIG: Final = {
    "F401": "the file is no valid YAML",
    "F402": "a YAML key is written twice",
    "F403": "unknown YAML tag",
    "F404": "the YAML is too large or too deep",
    "F405": "a config or schema file is missing",
    "F406": "a config file holds no mapping",
    "F407": "a config value breaks the schema",
    "F408": "the schema is no valid JSON Schema",
    "F409": "the schema refers to another file",
    "F410": "a mistake in `--config`",
    "F411": "`config` where it cannot stand",
}

PLANNING: Final = {
    "F501": "missing input",
    "F502": "two rules make one file",
    "F503": "circle of rules",
    "F504": "rule needs its own output",
    "F505": "rule asks for itself without end",
    "F506": "file that a rule makes is read while planning",
    "F507": "resource without unit",
    "F508": "value of the wrong kind",
    "F509": "more errors than are shown",
    "F510": "checkpoints read each other without end",
    "F511": "protected file would be overwritten",
}

RUNNING: Final = {
    "F601": "more is asked for than this machine has",
    "F602": "blocks of an earlier run that may still run its jobs",
}

CALL: Final = {
    "F701": "unknown target",
    "F702": "option names nothing in this plan",
    "F703": "no rules",
    "F704": "rule with wildcards as a target",
    "F705": "no Flowfile",
}

PROFILE: Final = {
    "F801": "unknown key of a profile",
    "F802": "value of the wrong kind in a profile",
    "F803": "malformed amount in a profile",
    "F804": "malformed range or list of hardware threads",
    "F805": "missing key of a profile",
    "F806": "values of a profile that contradict each other",
    "F807": "blocks that fit no queue",
    "F808": "unknown queue",
    "F809": "hardware thread that the node has not",
    "F810": "hardware thread given away twice",
    "F811": "GPU named twice",
    "F812": "setting that cannot be applied",
    "F813": "text that cannot stand in a job script",
}

LINT: Final = {
    "L001": "param inserted as written",
    "L002": "placeholder in text for a second interpreter",
    "L003": "file that the command never names",
    "L004": "threads that the command never names",
    "L005": "constant or function without use",
    "L006": "absolute path",
    "L007": "two rules whose wildcards can name one file",
    "L008": "wildcards without a separator",
    "L009": "fixed name in a shared folder",
    "L010": "relative path after a change of folder",
    "L011": "command that writes another rule's file",
}

CODES: Final = {**SYNTAX, **EXPRESSIONS, **RULES, **SHELL, **CONFIG, **PLANNING, **RUNNING, **CALL, **PROFILE, **LINT}
