"""Shell text that people really write: braces that are no placeholder stay as they are, without a word."""

from __future__ import annotations

import pytest
from flow_text import FlowText

from flowrules.expr.shell import Section, ShellNames, parse_shell

NAMES = ShellNames(
    sections={
        "input": Section(("bam", "reads")),
        "output": Section(("table",)),
        "params": Section(("extra",)),
        "log": Section(),
        "resources": Section(("mem",)),
    },
    wildcards=("sample", "mol"),
    lets=frozenset({"OUT"}),
    let_value=lambda name: "out",
    config={"ref": "genome.fa"},
    here="workflow",
)

SNIPPETS = r"""
awk '{print $1}' a.txt
awk '{print $1, $NF}' a.txt > b.txt
awk -F'\t' '{s += $3} END {print s / NR}' a.tsv
awk 'NR > 1 {print $0}' a.csv
awk 'BEGIN {FS = ","; OFS = "\t"} {print $1, $2}' a.csv
awk '{a[$1] += $2} END {for (k in a) print k, a[k]}' a.txt
awk '!seen[$0]++ {print}' a.txt
awk '/^>/ {if (n) print n; n = 0; next} {n += length($0)} END {print n}' a.fa
awk '{next}' a.txt
awk '{exit}' a.txt
awk '{print}' a.txt
awk 'NR % 4 == 2 {c[length($0)]++} END {for (l in c) print l, c[l]}' a.fq
awk '{printf "%s\t%d\n", $1, $2}' a.txt
awk -v n=3 'NR <= n {print; next} {exit}' a.txt
awk '{gsub(/a{2,3}/, "x"); print}' a.txt
awk 'length($0) > 80 {print FILENAME ": " FNR}' *.py
awk '{ sum[$1" "$2] += $3 } END { for (i in sum) { print i, sum[i] } }' a.txt
gawk 'match($0, /x([0-9]+)/, m) {print m[1]}' a.txt
awk '{$1=""; print $0}' a.txt
awk 'function f(x) {return x * 2} {print f($1)}' a.txt
sed -n '/a/{p;q}' a.txt
sed '/start/,/end/{s/x/y/;d}' a.txt
sed -E 's/([0-9]{4})-([0-9]{2})/\2.\1/' a.txt
sed -e ':a;N;$!ba;s/\n/ /g' a.txt
sed 's/a\{2\}/b/' a.txt
sed '1{h;d};/x/{G}' a.txt
sed -n '$!{p}' a.txt
sed -n '/x/{p}' a.txt
grep -E '^[A-Z]{3}[0-9]{1,2}$' a.txt
grep -P '\d{3}(?=x{2})' a.txt
grep -oE 'a{2}|b{3,}' a.txt
grep -c '{' a.json
grep -o '{[^}]*}' a.json
echo ${HOME} ${PATH:-/bin} ${x%.txt} ${y##*/} ${#z} ${a/b/c} ${a^^} ${a,,}
echo ${array[@]} ${!array[@]} ${#array[@]} ${array[0]}
echo "${BASH_REMATCH[1]}" "${1:-default}" "${@:2}" "${x:0:3}" "${PIPESTATUS[0]}"
for i in {1..3}; do echo $i; done
for i in {01..10..3}; do touch file_$i; done
cp file{,.bak}
mv a.{txt,md}
mkdir -p out/{a,b,c}/{x,y}
echo {a..e} {A..Z} {1..100..5}
rm -f *.{o,so,a} core.{1..9}
touch {x,y}{1,2}
ls {,.}*
diff {old,new}/a.txt
f() { echo hi; }
f() { local x=$1; echo "${x}"; }; f 3
function g { echo "$@"; }
{ echo a; echo b; } > c.txt
{ read -r head; cat; } < a.txt
trap '{ rm -f tmp; }' EXIT
[ -f x ] && { echo found; exit 0; } || { echo "not found" >&2; exit 1; }
test -d a || { mkdir a; }
while read -r line; do { echo "$line"; }; done < a.txt
find . -name '*.txt' -exec grep -l foo {} \;
find . -type f -exec chmod 644 {} +
find . -name '*.c' -exec sh -c 'echo "$1"' _ {} \;
ls | xargs -I{} cp {} {}.bak
ls | xargs -I {} sh -c 'echo {}; wc -l {}'
parallel echo {} ::: a b c
parallel 'gzip -c {} > {.}.gz' ::: *.txt
parallel echo {1} {2} {3..4} {#} {%} {/} {//} {/.} {+} ::: a ::: b
parallel --colsep '\t' echo {1} {=2 s/x/y/ =} :::: a.tsv
curl -X POST -H 'Content-Type: application/json' -d '{"name": "x", "n": 3}' http://h/p
curl -s -w '%{http_code} %{time_total}\n' -o /dev/null http://h
curl 'http://h/{a,b}/[1-3].txt' -o '#1_#2.txt'
curl -d "{\"a\": {\"b\": [1, 2]}}" http://h
curl --data '{}' http://h
echo '{"a": 1}' > a.json
echo '{"input": "x", "output": {"log": 3}}' > a.json
echo "{\"x\": $x}" > a.json
printf '{"job": "%s"}\n' "$x"
printf '%s\n' {a,b}
jq '{a: .b, c: .d}' a.json
jq -r '.[] | {name, size: .bytes}' a.json
jq '.items[] | select(.n > 3) | {(.key): .value}' a.json
jq -n --arg x "$x" '{x: $x, y: {z: [1]}}'
jq '{input: .x, output: .y, log: .z}' a.json
jq 'map({id, v: (.a // "none")})' a.json
jq -s 'reduce .[] as $x ({}; . * $x)' a.json b.json
jq '.a |= {b: .}' a.json
yq '.a = {"b": 1}' a.yaml
python -c 'print({"a": 1}["a"])'
python -c "d = {k: v for k, v in [(1, 2)]}; print(d)"
python -c 'import sys; print(f"{sys.argv[1]:>10}")' x
python3 -c "print('{:.3f}'.format(3.14159))"
python -c 'print("{0} {1}".format(1, 2))'
python -c 'x = {1, 2}; print({*x, 3})'
perl -ne 'print if /a{2,}/' a.txt
perl -pe 's/\$\{(\w+)\}/$ENV{$1}/g' a.tmpl
perl -lane 'print $F[0]; $h{$F[1]}++; END { print "$_ $h{$_}" for keys %h }' a.txt
perl -e 'my %h = (a => {b => 1}); print $h{a}{b}'
perl -F, -ane '$s{$F[0]} += $F[1]; END {print "$_\t$s{$_}\n" for sort keys %s}' a.csv
ruby -e 'puts [1, 2].map { |x| x * 2 }.inspect'
ruby -e 'puts "#{ARGV[0]} is #{1 + 1}"' x
Rscript -e 'x <- sapply(1:3, function(i) { i^2 }); print(x)'
Rscript -e 'if (TRUE) {print(1)} else {print(2)}'
Rscript -e 'f <- function(x) {x + 1}; cat(f(1), "\n")'
R -e "rmarkdown::render('a.Rmd', params = list(x = {1}))"
node -e 'const {a, b} = {a: 1, b: 2}; console.log(`${a} ${b}`)'
lua -e 't = {1, 2, x = 3} print(t.x)'
git show HEAD@{1} stash@{0} @{upstream} @{u}
git log --format='%h %s' HEAD@{yesterday}
rpm -q --qf '%{NAME}-%{VERSION}\n' bash
dpkg-query -W -f='${Package} ${Version}\n' bash
docker inspect --format '{{.State.Status}}' c
docker ps --format '{{json .}}'
docker ps --format 'table {{.Names}}\t{{.Status}}'
docker inspect -f '{{range .Mounts}}{{.Source}} {{end}}' c
kubectl get pods -o jsonpath='{.items[*].metadata.name}'
kubectl get pods -o go-template='{{range .items}}{{.metadata.name}}{{end}}'
helm template x --set 'a.b={1,2}'
ffmpeg -i a.mp4 -vf "drawtext=text='%{pts\:hms}'" b.mp4
convert a.png -format '%[fx:w]' info:
tmux display -p '#{pane_id}'
find . -regex '.*/[0-9]\{3\}'
ls -l --time-style='+%Y' | awk '{print $6}'
date +%Y-%m-%d_{a,b}
exec {fd}> a.txt
exec {fd}>&-
[[ $x =~ ^[a-z]{2,4}$ ]] && echo yes
[[ "$x" == {* ]] && echo brace
case $x in {*) echo a;; *}) echo b;; esac
x=${y:-{}; echo $x
echo "${x//\{/[}" "${x//\}/]}"
echo \{a\} '{'a'}' "{"
IFS=, read -r a b <<< "{1,2}"
tr -d '{}' < a.txt
tr '{}' '[]' < a.txt
cut -d'{' -f2 a.txt
sort -t'}' -k2 a.txt
echo -e "\x{41}" '\u{1F600}'
bedtools intersect -a a.bed -b b.bed | awk 'BEGIN{OFS="\t"}{print $1,$2-1,$3}'
samtools view a.bam | awk '{if ($5 >= 30) print}' | cut -f1
samtools view -H a.bam | grep '^@SQ' | sed 's/.*SN:\([^\t]*\).*/{\1}/'
bcftools query -f '%CHROM\t%POS[\t%GT{0}]\n' a.vcf
bcftools query -i 'GT="alt"' -f '[%SAMPLE{0}]\n' a.vcf
vcftools --gzvcf a.vcf.gz --maf 0.05 --out {a,b}
seqkit fx2tab a.fa | awk '{print ">"$1"\n"$2}'
csvtk mutate2 -e '$a + ${b}' a.csv
mlr --icsv --ojson put '$c = {"a": $b}' a.csv
sqlite3 a.db "select json_object('a', 1) as '{}'"
psql -c "select '{1,2}'::int[]"
mysql -e 'select `a` from `b` where c = "{}"'
latexmk -pdf -e '$x = q/{}/' a.tex
echo '\begin{document}\section{Name}\end{document}' > a.tex
echo '\frac{1}{2} \textbf{bold} x^{2} \ref{fig}' > a.tex
pandoc -V 'geometry:margin={1in}' a.md
sed -i 's/@{\[\]}//' a.pl
gcc -DX='{1, 2}' a.c
gcc -E - <<< 'int a[] = {1, 2}; struct s {int x;};'
make -f - <<< $'a:\n\techo ${HOME} $(x)'
m4 -D'x={$1}' a.m4
echo "int main() {return 0;}" > a.c
cat > a.c <<'EOF' && gcc a.c;int main() { struct { int x; } s = {1}; return s.x; };EOF
cat <<EOF > a.json;{;  "a": ${x:-1},;  "b": {"c": []};};EOF
cat <<-'EOF' > a.sh;	f() { echo "${1}"; };	EOF
python - <<'EOF';d = {'a': {}};print(f"{d['a']}");EOF
perl - <<'EOF';my %h = (x => {}), print "@{[1]} ${\ 1}";EOF
sed '/x/{' -e 'n' -e '}' a.txt
gnuplot -e 'set label "{/Symbol a}_{0}"; plot x**{2}'
tclsh <<< 'foreach i {1 2 3} {puts $i}; if {1} {puts "{}"}'
gmx select -select 'group {"a"}'
namd2 +p4 conf{1,2}.namd
obabel -:'C{1}' -O a.sdf
cp2k.popt -i a.inp | tee a{,.copy}
mpirun -np 4 --mca btl ^openib ./a {}
srun --multi-prog <(echo '0-3 ./a %t {}')
echo "${SLURM_JOB_ID:-none}_${SLURM_ARRAY_TASK_ID:-{0}}"
time { sleep 1; }
! { false; }
echo $((2 ** {3}))
declare -A m=([a]={1} [b]={2}); echo ${m[a]}
echo "a{b}c" 'x{y}z' w{v}
set -- {1..5}; shift; echo ${*:2}
let x={1}+2
printf -v x '%s' "{}"; echo ${x@Q}
coproc { cat; }
select x in {a,b}; do break; done
""".strip().split("\n")


@pytest.mark.parametrize("text", SNIPPETS)
def test_shell_text_is_left_alone(text: str) -> None:
    text = text.replace(";", "\n") if "EOF" in text else text
    template, diagnostics = parse_shell(FlowText(text), NAMES)
    assert [d.message for d in diagnostics] == []
    assert template.render({}) == text
    assert template.code == text


LONE = [
    """julia -e 'f(x::T) where {T} = x; println(f(1), Dict{String,Int}())'""",
    """x=${y:-{a}}; echo $x""",
    """seqkit replace -p '(.+)' -r '{nr}' a.fa | head""",
    """xmllint --xpath '//a[@b="{c}"]' a.xml | sed 's/{.}//'""",
    """vmd -e <(echo 'proc f {x} {return [expr {$x + 1}]}')""",
    "kubectl get pods -o jsonpath='{range .items[*]} {end}'",
    "echo {foo}",
]


@pytest.mark.parametrize("text", LONE)
def test_a_lone_unknown_word_is_left_alone_with_a_warning(text: str) -> None:
    template, diagnostics = parse_shell(FlowText(text), NAMES)
    assert [(d.code, d.severity) for d in diagnostics] == [("W301", "warning")]
    assert template.render({}) == text


def test_the_corpus_is_large() -> None:
    assert len(SNIPPETS) >= 150
    assert len(set(SNIPPETS)) == len(SNIPPETS)
