"""The words of a guard, English and Spanish, without accents: what they mean, and the words for it.

Left out on purpose: "one", "un", "una" and "may", which are mostly not what they look like, and "all" and
"todos", which add nothing to a plural ("some" and "algunos" take something away).
"""

from __future__ import annotations

_MEANINGS = """
0: zero cero
2: two dos twice
3: three tres
4: four cuatro
5: five cinco
6: six seis
7: seven siete
8: eight ocho
9: nine nueve
10: ten diez
11: eleven once
12: twelve doce dozen docena
13: thirteen trece
14: fourteen catorce
15: fifteen quince
16: sixteen dieciseis
17: seventeen diecisiete
18: eighteen dieciocho
19: nineteen diecinueve
20: twenty veinte
21: veintiuno veintiun
22: veintidos
23: veintitres
24: veinticuatro
25: veinticinco
30: thirty treinta
40: forty cuarenta
45: cuarentaicinco
50: fifty cincuenta
60: sixty sesenta
70: seventy setenta
80: eighty ochenta
90: ninety noventa
100: hundred cien ciento
1000: thousand mil
1000000: million millon millones
half: half media medio mitad
quarter: quarter cuarto
first: first primer primero primera
third: third tercer tercero tercera
not: no not never without nor none neither cannot nothing nobody dont doesnt didnt cant wont isnt wasnt havent hasnt
not: nunca jamas sin ni tampoco ningun ninguno ninguna nada nadie
minus: minus
not: invalid inactive impossible illegal dislike disallow
not: invalido invalida inseguro insegura inactivo inactiva imposible ilegal
not: desbloquear desbloquea desinstalar desinstala
except: except excepto salvo
before: before until till antes hasta
after: after since despues desde
more: more increase raise above mas aumentar aumenta subir sube
less: less fewer decrease reduce below menos reducir bajar disminuir
undo: cancel canceling cancelling cancelled delete deleting remove disable deactivate stop off terminate close
undo: cancelar cancela cancele anular anula eliminar elimina elimine borrar borra quitar quita desactivar desactiva
undo: detener deten parar apagar apaga deshabilitar desconectar desconecta cerrar
high: high higher highest maximum max alta alto altas altos maxima maximo
low: low lower lowest minimum baja bajo bajas bajos minima minimo
cheap: cheap cheaper cheapest barato barata economico economica
dear: expensive caro cara
new: new nuevo nueva nuevos nuevas
old: old viejo vieja antiguo antigua
other: other another different otro otra otros otras
change: change changing modify update edit switch replace cambiar cambia modificar modifica actualizar actualiza
pause: pause snooze pausar pausa posponer pospon repetir repite
am: am morning mornings madrugada
pm: pm afternoon
evening: evening
night: night nights tonight noche noches anochecer
noon: noon midday mediodia
midnight: midnight medianoche
today: today hoy
tomorrow: tomorrow
yesterday: yesterday ayer
now: now currently current ahora actual actualmente momento moment
monday: monday mondays mon lunes
tuesday: tuesday tuesdays tue martes
wednesday: wednesday wednesdays wed miercoles
thursday: thursday thursdays thu jueves
friday: friday fridays fri viernes
saturday: saturday saturdays sabado sabados
sunday: sunday sundays domingo domingos
january: january jan enero
february: february feb febrero
march: march marzo
april: april apr abril
may: mayo
june: june jun junio
july: july jul julio
august: august aug agosto
september: september sept septiembre setiembre
october: october oct octubre
november: november nov noviembre
december: december dec diciembre
second: second seconds secs segundo segundos segunda
minute: minute minutes min mins minuto minutos
hour: hour hours hora horas
day: day days daily dia dias diario diaria
week: week weeks weekly semana semanas semanal
weekend: weekend weekends finde
end: end fin
rest: rest resto
month: month months monthly mes meses mensual
year: year years yearly annual ano anos anual
next: next following upcoming proximo proxima proximos proximas siguiente siguientes
last: last past previous ultimo ultima pasado pasada anterior
every: every each everything always todo toda cada siempre
only: only solamente unicamente
both: both ambos ambas
dollar: dollar dollars usd dolar dolares
euro: euro euros eur
pound: pound pounds gbp lb lbs libra libras
peso: peso pesos
clp: clp
mxn: mxn
cop: cop
ars: ars
yen: yen yenes jpy
yuan: yuan yuanes cny
rupee: rupee rupees rupia rupias inr
sol: soles
kg: kg kgs kilo kilos kilogram kilograms kilogramo kilogramos
gram: gram grams gramo gramos gr
mg: mg milligram milligrams miligramo miligramos
ounce: ounce ounces oz onza onzas
ton: ton tons tonne tonnes tonelada toneladas
liter: liter liters litre litres litro litros
ml: ml milliliter milliliters millilitre millilitres mililitro mililitros
gallon: gallon gallons galon galones
meter: meter meters metre metres metro metros
cm: cm centimeter centimeters centimetre centimetres centimetro centimetros
mm: mm millimeter millimeters millimetre millimetres milimetro milimetros
foot: foot feet ft pie pies
inch: inch inches pulgada pulgadas
mb: mb megabyte megabytes
gb: gb gigabyte gigabytes
tb: tb terabyte terabytes
percent: percent porciento
celsius: celsius centigrados
fahrenheit: fahrenheit
when: when cuando
where: where donde
who: who whose quien quienes
why: why
how_much: much many cuanto cuanta cuantos cuantas
km: km kilometers kilometres kilometros
mile: mile miles milla millas
"""
SIGNS = {"$": "dollar", "€": "euro", "£": "pound", "%": "percent"}
# Between one of these and a number or a time there is a span, a place in it or an end of it.
SPANS = {"for": "for", "para": "for", "por": "during", "in": "in", "en": "in", "by": "by", "at": "at"}
_TIMES = """
half quarter am pm late evening night noon midnight today tomorrow yesterday now
monday tuesday wednesday thursday friday saturday sunday
january february march april may june july august september october november december
second minute hour day week weekend month year next last end rest
"""
TIMES = frozenset(_TIMES.split())
# Behind these stands a name, with or without capitals.
LINKS = frozenset({"in", "near", "around", "called", "named", "en", "cerca", "llamado", "llamada"})
# Of a part of the things: these count before "of" and behind a word that undoes or changes; else they add nothing
# ("find me some flights").
PARTS = {"some": "some", "several": "some", "algunos": "some", "algunas": "some", "varios": "some", "varias": "some",
         "most": "most", "few": "few", "mayoria": "most", "pocos": "few", "pocas": "few"}  # fmt: skip
# A prefix that denies, but for the words that only begin so: "unsafe", "unlock", not "until".
DENYING = "un"
NOT_DENYING = ("under", "uni", "until", "unless", "unfortunate", "uncle", "unto")
# These may stand between a link and its name.
FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "my",
        "your",
        "our",
        "his",
        "her",
        "their",
        "this",
        "that",
        "these",
        "those",
        "it",
        "its",
        "of",
        "from",
        "de",
        "del",
        "el",
        "la",
        "los",
        "las",
        "lo",
        "un",
        "una",
        "mi",
        "mis",
        "tu",
        "tus",
        "su",
        "sus",
        "este",
        "esta",
        "estos",
        "estas",
        "ese",
        "esa",
        "eso",
        "nuestro",
        "nuestra",
    ]
)
# Words with a capital that name nothing.
NO_NAMES = frozenset(
    [
        "i",
        "im",
        "ive",
        "id",
        "ill",
        "ok",
        "hi",
        "hello",
        "please",
        "thanks",
        "thank",
        "hola",
        "gracias",
        "buenos",
        "buenas",
        "por",
        "favor",
        "usted",
    ]
)


def meanings() -> dict[str, str]:
    """Word -> what it means."""
    lines = [line.split(":") for line in _MEANINGS.split("\n") if line]
    return {word: meaning for meaning, words in lines for word in words.split()}
