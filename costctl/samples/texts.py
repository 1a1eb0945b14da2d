"""Our own sentences: what users of an invented travel agency ask, in English and Spanish.

Each intent has the tier that a person would give it at once, so that the truth of the story
does not hang on borderline texts. Words in braces are slots that `fill` draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

TIER_OF: Mapping[str, str] = {
    "greeting": "A", "confirmation": "A", "faq": "A", "rephrase": "A", "extraction": "A", "reformat": "A",
    "recommendation": "B", "itinerary_short": "B", "lead": "B",
    "itinerary_long": "C", "comparison": "C", "contract": "C", "contract_review": "C", "code": "C", "maths": "C",
    "nightly": "C", "loop": "C",
}  # fmt: skip

CITIES = (
    "Valdivia", "Pucón", "La Serena", "Castro", "Puerto Varas", "San Pedro de Atacama", "Coyhaique", "Punta Arenas",
    "Iquique", "Chillán", "Cusco", "Arequipa", "Mendoza", "Bariloche", "Salta", "Cartagena", "Medellín", "Oaxaca",
    "Montevideo", "Colonia", "Cuenca", "Quito", "La Paz", "Sucre",
)  # fmt: skip
NAMES = (
    "Camila Rojas", "Matías Soto", "Ignacia Fuentes", "Benjamín Araya", "Josefa Leiva", "Tomás Gallardo", "Renata Pizarro",
    "Emily Carter", "Oliver Shaw", "Grace Nolan", "Liam Porter", "Hannah Doyle", "Lucas Ferreyra", "Valeria Quispe",
    "Andrés Mejía", "Paula Ibarra",
)  # fmt: skip

MESSAGES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "greeting": {
        "es": ("hola", "Hola, buenas tardes", "buenas", "Hola, ¿qué tal?", "hola po", "wena, ¿cómo estái?", "Buenos días", "aló", "muchas gracias", "gracias, nos vemos", "te pasaste, gracias", "chao, gracias"),
        "en": ("hi", "Hello", "Hey, how are you?", "good morning", "Good evening", "hello, good afternoon", "thanks", "thank you so much", "thanks, bye", "see you"),
    },
    "confirmation": {
        "es": ("sí", "sí, perfecto", "ya po, dale", "dale", "me tinca", "ok, de acuerdo", "sipo", "claro, confirmo", "listo", "bacán, dale", "no, gracias", "todavía no", "perfecto, gracias"),
        "en": ("yes", "yes, sounds good", "ok, perfect", "sure", "got it", "great, confirmed", "agreed", "no thanks", "not yet", "okay, thanks"),
    },
    "faq": {
        "es": (
            "¿Cuál es el horario de atención en {city}?", "¿A qué hora abren la oficina de {city}?", "¿A qué hora cierran en {city}?",
            "¿Dónde quedan ustedes en {city}?", "¿Cuál es el teléfono de contacto de {city}?", "¿Dónde está mi pedido?",
            "Necesito el estado de mi pedido {order}", "¿Cómo cancelo mi suscripción?", "¿Cómo anulo mi pedido {order}?",
            "Quiero darme de baja del boletín", "¿Hacen devolución del pasaje?", "¿Cómo pido el reembolso del pedido {order}?",
            "¿Cuánto cuesta el traslado a {city}?", "¿Cuánto sale el pasaje a {city}?", "¿Tienen código de descuento para {city}?",
        ),
        "en": (
            "What are your opening hours in {city}?", "What time do you open in {city}?", "What time do you close in {city}?",
            "Where are you located in {city}?", "What is the phone number of the {city} office?", "Where is my order?",
            "Please give me the order status of {order}", "How do I cancel my subscription?", "How to cancel order {order}?",
            "I want to unsubscribe from the newsletter", "What is your return policy?", "When will I get the refund for {order}?",
            "How much is the shuttle to {city}?", "How much does the bus pass to {city} cost?", "How do I reset my password?",
        ),
    },
    "rephrase": {
        "es": (
            "Reformula esta frase: el bus a {city} sale tarde", "Reescribe este aviso: la oficina de {city} cierra el lunes",
            "Dilo de otra forma: llegamos a {city} de noche", "Hazlo más formal: chiquillos, nos vemos en {city}",
            "Corrige la ortografía: nos bemos en {city}", "Traduce al inglés: bienvenidos a {city}", "Acorta este saludo: {name}, te esperamos en {city}",
            "Parafrasea: el hotel de {city} queda frente a la plaza",
        ),
        "en": (
            "Rephrase this sentence: the bus to {city} leaves late", "Rewrite this notice: the {city} office is closed on Monday",
            "Say it in other words: we reach {city} at night", "Make it shorter: dear {name}, we look forward to seeing you in {city}",
            "Fix the spelling: wellcome to {city}", "Translate to Spanish: your room in {city} is ready", "Paraphrase: the hotel in {city} faces the square",
        ),
    },
    "extraction": {
        "es": (
            "Extrae nombre, ciudad y código: {name} viaja a {city} con el código {order}.", "Identifica los campos del formulario: pasajero {name}, destino {city}, código {order}.",
            "Lista los nombres de esta nota: {name} y {name2} llegan a {city}.", "Clasifica el mensaje de {name}: la pieza de {city} estaba fría ({order}).",
            "Valida el formato del código {order} del viaje a {city} de {name}.", "Pásalo a JSON: {name}, {city}, {order}.",
        ),
        "en": (
            "Extract name, city and code: {name} travels to {city} with code {order}.", "Identify the fields of this form: passenger {name}, destination {city}, code {order}.",
            "List the names in this note: {name} and {name2} arrive in {city}.", "Classify the message of {name}: the room in {city} was cold ({order}).",
            "Validate the format of code {order} for the trip of {name} to {city}.", "Fill in the fields passenger, city and code: {name}, {city}, {order}.",
        ),
    },
    "reformat": {
        "es": ("Ponlo en tabla: {city}, lunes; {city2}, martes", "Dale formato de lista numerada: {city}, {city2}", "Formatea este horario: {city} lunes, {city2} jueves", "Dale formato con viñetas: {city}; {city2}"),
        "en": ("Put it in a table: {city}, Monday; {city2}, Tuesday", "Reformat as a numbered list: {city}, {city2}", "Show as bullet points: {city}; {city2}"),
    },
    "recommendation": {
        "es": (
            "Recomiéndame tres picadas para comer en {city}", "¿Qué puedo visitar en {city} con mi polola?", "Sugiéreme panoramas tranquilos en {city} para el sábado",
            "¿Dónde alojar en {city} que quede cerca de la plaza?", "¿Cuáles son los mejores lugares para mirar aves en {city}?", "¿Qué me aconsejas probar en {city}?",
            "Dame los imperdibles de {city}, porfa", "¿Alguna idea para una tarde de lluvia en {city}?",
        ),
        "en": (
            "Recommend three places with live music in {city}", "What can I do in {city} on a rainy afternoon?", "Suggest quiet things to do in {city} on Saturday",
            "Where to stay in {city} near the main square?", "What are the best places for birdwatching near {city}?", "Any ideas for a birthday dinner in {city}?",
            "Please recommend a museum in {city} that my parents will like",
        ),
    },
    "itinerary_short": {
        "es": ("Ármame un itinerario de fin de semana en {city}", "Quiero una escapada a {city} el finde, ¿qué recorrido me sirve?", "Plan de viaje para un par de días en {city}, porfa"),
        "en": ("Plan a weekend trip to {city}, please", "I would like a day trip from {city} to {city2}", "Make me an itinerary for a weekend in {city}"),
    },
    "lead": {
        "es": (
            "Quiero cotizar un viaje a {city} para mi empresa", "Quiero reservar una cabaña en {city} para marzo", "¿Tienen disponibilidad en {city} para un grupo de colegio?",
            "Me interesa el plan empresa, quiero hablar con un ejecutivo", "¿Puedo pagar con Webpay el viaje a {city}?", "Necesito factura por el viaje a {city} a nombre de {name}",
            "¿Quedan cupos para el trekking en {city}?",
        ),
        "en": (
            "I want to book a cabin in {city} for March", "I would like a quote for a company retreat in {city}", "Do you have availability in {city} for a school group?",
            "I want to buy the ski pass for {city}", "Let me talk to sales regarding the corporate plan, my name is {name}", "Please send an invoice for the {city} trip to {name}",
        ),
    },
    "itinerary_long": {
        "es": (
            "Arma un itinerario multidestino de {days} días desde {city} hasta {city2}, con traslados, alojamiento y un plan B si llueve.",
            "Planifica {days} días por la Carretera Austral desde {city}: tramos por día, ripio, bencina y dónde dormir cada noche.",
            "Necesito un recorrido de {days} días por varias ciudades partiendo en {city} y terminando en {city2}, con el detalle de cada jornada.",
            "Queremos mochilear {days} días de norte a sur, de {city} a {city2}; propone etapas, buses y descansos.",
        ),
        "en": (
            "Plan a multi-city trip of {days} days from {city} to {city2} with transfers, lodging and a plan B in case of rain.",
            "Build a {days} days road trip starting in {city} and ending in {city2}: stages, fuel stops and where to sleep each night.",
            "We need an itinerary of {days} days through several cities, from {city} to {city2}, describing each day in detail.",
        ),
    },
    "comparison": {
        "es": (
            "Compara viajar de {city} a {city2} en bus, tren y avión, con ventajas y desventajas de cada uno.",
            "Analiza cuál conviene para un equipo remoto, {city} o {city2}, y justifica la respuesta con criterios.",
            "Evalúa pros y contras de abrir una sucursal en {city} en vez de {city2} y propone una estrategia.",
        ),
        "en": (
            "Compare travelling from {city} to {city2} by bus, train and plane, with the pros and cons of each.",
            "Analyze which city suits a remote team better, {city} or {city2}, and justify the answer step by step.",
            "Evaluate the advantages and disadvantages of opening a branch in {city} versus {city2} and propose a strategy.",
        ),
    },
    "contract": {
        "es": (
            "Redacta un contrato de transporte turístico entre la agencia y {name} para la ruta {city}-{city2}, con cláusula de multa.",
            "Revisa la cláusula de responsabilidad del contrato de {name} en {city} y analiza sus riesgos en detalle.",
        ),
        "en": (
            "Draft a contract between the agency and {name} for guided tours in {city}, and explain in detail each obligation.",
            "Analyze the liability clause in the legal contract of {name} for {city} and evaluate its risks.",
        ),
    },
    "contract_review": {
        "es": ("Analiza el contrato marco {order} de {city} adjunto, compara sus anexos y evalúa los riesgos en detalle. [anexos: texto no registrado]",),
        "en": ("Analyze the attached framework contract {order} for {city}, compare its annexes and evaluate the risks in detail. [annexes: text not logged]",),
    },
    "code": {
        "es": (
            "Escribe una función en Python que valide códigos como {order} y agrega unit tests para {city}.",
            "Depura este script de Python: al sincronizar {city} con {city2} se duplica el registro {order}.",
            "Escribe una consulta SQL que agrupe los viajes de {city} por semana y refactoriza la vista {order}.",
        ),
        "en": (
            "Write a function in Python that parses codes such as {order} and add unit tests for {city}.",
            "Debug this Python script: syncing {city} with {city2} duplicates record {order}.",
            "Refactor this TypeScript module that books {city} and explain the algorithm for {order}.",
        ),
    },
    "maths": {
        "es": ("Calcula paso a paso el costo por persona: {days} buses de 40 asientos a {city}, 18 guías y 7 noches de hotel, repartido entre el grupo completo.",),
        "en": ("Calculate step by step the cost per person: {days} buses with 40 seats to {city}, 18 guides and 7 hotel nights, shared by the whole group.",),
    },
    "nightly": {
        "es": ("Analiza las conversaciones del lote {order} de {city}, compara los motivos de contacto y explica en detalle las tendencias.",),
        "en": ("Analyze the conversations of lot {order} from {city}, compare the contact reasons and explain in detail the trends.",),
    },
    "loop": {
        "es": ("Recalcula la ruta multidestino desde {city}, tramo {order}, y evalúa otra vez los traslados.",),
        "en": ("Recalculate the multi-city route from {city}, leg {order}, and evaluate the transfers again.",),
    },
}  # fmt: skip

ANSWERS: Mapping[str, Mapping[str, str]] = {
    "greeting": {"es": "¡Hola! Soy la asistente de Andes Sur. ¿Qué viaje tienes en mente?", "en": "Hello! This is the Andes Sur assistant. Which trip do you have in mind?"},
    "confirmation": {"es": "Listo, quedó anotado.", "en": "Done, it is noted."},
    "faq": {"es": "Atendemos de lunes a sábado; el detalle de tu caso está en Mi Viaje.", "en": "We are open Monday to Saturday; you will find your case under My Trip."},
    "rephrase": {"es": "Aquí va otra versión del texto.", "en": "Here is another version of the text."},
    "recommendation": {"es": "Tres lugares que la gente de la zona repite: el mercado, el mirador y la costanera.", "en": "Three places that locals go back to: the market, the lookout and the waterfront."},
    "itinerary_short": {"es": "Sábado: feria y mirador. Domingo: caminata corta y vuelta por la tarde.", "en": "Saturday: market and lookout. Sunday: a short hike and the way back in the afternoon."},
    "itinerary_long": {"es": "Primera etapa: llegada, compras y descanso. Segunda etapa: tramo largo con dos paradas. [respuesta acortada en el registro]", "en": "First stage: arrival, shopping and rest. Second stage: a long leg with two stops. [answer shortened in the log]"},
    "lead": {"es": "Te ayudo con eso: cuéntame fechas y número de personas.", "en": "Happy to help: tell me the dates and the size of the group."},
}  # fmt: skip

SYSTEMS: Mapping[str, str] = {
    "/chat": "You are the assistant of Andes Sur, a travel agency in southern Chile. Answer in the language of the customer, briefly and warmly. Never invent prices, schedules or availability; send people to Mi Viaje for anything personal.",
    "/faq": "Answer one question of the help centre of Andes Sur in at most three sentences, in the language of the question.",
    "/itinerary": "You plan trips through South America for Andes Sur. Give days, legs, transfers and lodging, and say what has to be booked early. Use buses and ferries where they run. Write in the language of the customer.",
    "/recommend": "Suggest places for customers of Andes Sur. Three suggestions, one line each, in the language of the customer.",
    "/extract": "You read notes of the back office of Andes Sur and return JSON with the keys that were asked for, and nothing else.",
    "/leads": "You look after sales enquiries of Andes Sur. Ask for dates, group size and contact; never promise a price.",
    "/dev": "You help the developers of Andes Sur with code, data and sums. Show the steps and keep answers complete.",
    "/nightly/reports": "You write the nightly report of the contact centre of Andes Sur from the lot that is given.",
    "/contracts": "You assist the legal team of Andes Sur with contracts under Chilean law. Quote the clause that you rely on.",
}  # fmt: skip
EXTRACT_PROMPT_2 = (
    SYSTEMS["/extract"] + " Follow the field guide, version 2: every field with its definition, its accepted"
    " forms and four worked examples. [field guide: text not logged]"
)


def fill(rng: Random, intent: str, language: str) -> str:
    """One message of that intent with its slots drawn; equal draws give equal texts."""
    template = rng.choice(MESSAGES[intent][language])
    if "{" not in template:
        return template
    city, city2 = rng.sample(CITIES, 2)
    name, name2 = rng.sample(NAMES, 2)
    return template.format(
        city=city, city2=city2, name=name, name2=name2, order=f"AS-{rng.randrange(10_000, 99_999)}", days=rng.randrange(8, 19)
    )  # fmt: skip
