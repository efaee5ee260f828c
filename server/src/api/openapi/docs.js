"use strict";
let api;
const by = (id) => document.getElementById(id);

/* Creates an element. Attributes that are functions become listeners. Text is never HTML. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== false && value != null)
      element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child != null && child !== false));
  return element;
}

/* Descriptions: paragraphs with `code` and **bold**. */
const inline = (text) =>
  text
    .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
    .map((part) =>
      part.startsWith("`")
        ? el("code", null, part.slice(1, -1))
        : part.startsWith("**")
          ? el("strong", null, part.slice(2, -2))
          : part,
    );
const prose = (text) =>
  (text || "")
    .split(/\n\s*\n/)
    .filter(Boolean)
    .map((paragraph) => el("p", null, inline(paragraph)));
const block = (text) => el("pre", { tabindex: 0 }, el("code", null, text));
const pretty = (value) =>
  JSON.stringify(value && value.key ? { key: value.key, ...value } : value, null, 2);
const table = (heads, rows) =>
  el(
    "div",
    { class: "scroll" },
    el(
      "table",
      null,
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          heads.map((head) => el("th", { scope: "col" }, head)),
        ),
      ),
      el("tbody", null, rows),
    ),
  );

/* Schemas. Lengths, and the bounds of numbers that may be text, are in the descriptions. */
const nameOf = (schema) => schema.$ref && schema.$ref.split("/").pop();
const resolve = (schema) => (schema.$ref ? api.components.schemas[nameOf(schema)] : schema);
function type(schema) {
  if (schema.$ref) return [el("a", { href: "#" + nameOf(schema) }, nameOf(schema))];
  const several = schema.oneOf || schema.anyOf;
  if (several) return several.flatMap((one, index) => (index ? [" or ", ...type(one)] : type(one)));
  if (schema.type === "array") return ["array of ", ...type(schema.items)];
  return [[].concat(schema.type || "anything").join(" or ")];
}
function rules(schema) {
  const { minimum, maximum, maxItems, pattern } = schema;
  const bounds = [
    minimum && "at least " + minimum,
    maximum && "at most " + maximum,
    maxItems && `at most ${maxItems} items`,
  ].filter(Boolean);
  const text = pattern || (schema.oneOf || []).map((one) => one.pattern).find(Boolean);
  return [
    bounds.length > 0 && el("p", { class: "soft" }, bounds.join(", ")),
    text && el("p", { class: "soft" }, pattern ? "Pattern: " : "As text: ", el("code", null, text)),
  ];
}
const row = (name, schema, required, description) =>
  el(
    "tr",
    null,
    el(
      "th",
      { scope: "row" },
      el("code", null, name),
      required ? el("div", { class: "tag" }, "required") : null,
    ),
    el("td", null, type(schema)),
    el("td", null, prose(description), rules(schema)),
  );
function fields(schema) {
  if (schema.oneOf) return el("p", null, type(schema));
  const required = schema.required || [];
  const names = Object.keys(schema.properties || {}).sort(
    (a, b) => required.includes(b) - required.includes(a),
  );
  return table(
    ["Field", "Type", "Description"],
    names.map((name) =>
      row(
        name,
        schema.properties[name],
        required.includes(name),
        schema.properties[name].description,
      ),
    ),
  );
}
const examples = (content) =>
  content.examples
    ? Object.entries(content.examples).map(([name, it]) => [name, it.value])
    : content.example !== undefined
      ? [["Example", content.example]]
      : [];

/* A row of the table of responses. */
function responseRow([status, response]) {
  const contents = Object.entries(response.content || {}).map(([kind, content]) => {
    const named = examples(content);
    const shown =
      kind === "application/problem+json"
        ? el(
            "ul",
            null,
            named.map(([, it]) => el("li", null, it.detail)),
          )
        : named.length
          ? el(
              "details",
              null,
              el("summary", null, named.length > 1 ? "Examples" : "Example"),
              named.map(([name, it]) => [
                named.length > 1 && el("p", { class: "soft" }, name),
                block(pretty(it)),
              ]),
            )
          : null;
    return [el("p", null, el("code", null, kind), " ", type(content.schema || {})), shown];
  });
  /* X-Request-Id is on every response: the introduction describes it once. */
  const headers = Object.entries(response.headers || {})
    .filter(([name]) => name !== "X-Request-Id")
    .map(([name, it]) =>
      el(
        "li",
        null,
        el("code", null, name),
        ": ",
        inline(it.description),
        it.example && [", for example ", el("code", null, it.example)],
      ),
    );
  return el(
    "tr",
    null,
    el("th", { scope: "row" }, el("span", { class: status < 400 ? "good" : "bad" }, status)),
    el(
      "td",
      { colspan: 2 },
      prose(response.description),
      contents,
      headers.length > 0 &&
        el("details", null, el("summary", null, "Headers"), el("ul", null, headers)),
    ),
  );
}

/* The form that sends a request. */
const quote = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
function tryForm(method, path, operation) {
  const body = operation.requestBody && examples(operation.requestBody.content["application/json"]);
  const text = body && el("textarea", { spellcheck: "false", "aria-label": "Body" });
  const fill = (index) => {
    text.value = pretty(body[index][1]);
    text.rows = Math.max(3, text.value.split("\n").length);
  };
  if (text) fill(0);
  const inputs = (operation.parameters || []).map((it) => [
    it.name,
    el("input", { spellcheck: "false", value: it.example, placeholder: it.schema.default }),
  ]);
  const send = el("button", { type: "submit" }, "Send");
  const output = el("div", { role: "status" });
  async function submit(event) {
    event.preventDefault();
    const query = inputs
      .filter(([, input]) => input.value)
      .map(([name, input]) => name + "=" + encodeURIComponent(input.value))
      .join("&");
    const target = new URL(path.slice(1) + (query && "?" + query), document.baseURI).href;
    const headers = by("token").value ? { Authorization: "Bearer " + by("token").value } : {};
    const command = [
      "curl -si",
      ...(headers.Authorization ? ['-H "Authorization: Bearer $TOKEN"'] : []),
      quote(target),
      ...(text ? ["-d " + quote(text.value.replace(/\n\s*/g, " "))] : []),
    ].join(" ");
    send.disabled = true;
    let result;
    try {
      const started = performance.now();
      const response = await fetch(target, {
        method,
        headers: text ? { ...headers, "Content-Type": "application/json" } : headers,
        body: text && text.value,
      });
      let content = await response.text();
      const elapsed = Math.round(performance.now() - started);
      try {
        content = pretty(JSON.parse(content));
      } catch {
        /* not JSON: shown as it is */
      }
      const shown = [
        "content-type",
        "ratelimit-policy",
        "ratelimit",
        "retry-after",
        "www-authenticate",
      ].filter((name) => response.headers.has(name));
      result = [
        el(
          "p",
          null,
          el(
            "strong",
            { class: response.status < 400 ? "good" : "bad" },
            `${response.status} ${response.statusText}`,
          ),
          el("span", { class: "soft" }, ` in ${elapsed} ms`),
        ),
        block(
          [...shown.map((name) => `${name}: ${response.headers.get(name)}`), "", content].join(
            "\n",
          ),
        ),
      ];
    } catch (error) {
      result = el("p", { class: "bad" }, "No response: " + error.message);
    }
    send.disabled = false;
    output.replaceChildren(
      ...[el("p", { class: "soft" }, "From a shell:"), block(command), result].flat(),
    );
  }
  return el(
    "form",
    { class: "try", submit },
    el("h4", null, "Try it"),
    inputs.length
      ? el(
          "div",
          { class: "fields" },
          inputs.map(([name, input]) => el("label", null, name, input)),
        )
      : null,
    body &&
      body.length > 1 &&
      el(
        "label",
        null,
        "Example",
        el(
          "select",
          { change: (event) => fill(event.target.value) },
          body.map(([name], index) => el("option", { value: index }, name)),
        ),
      ),
    text && el("label", null, "Body", text),
    send,
    output,
  );
}

function card(method, path, operation, others) {
  const body =
    operation.requestBody && resolve(operation.requestBody.content["application/json"].schema);
  return el(
    "details",
    { class: "card", id: operation.operationId },
    el(
      "summary",
      null,
      el("span", { class: "method " + method }, [method, ...others].join(" ").toUpperCase()),
      el("code", { class: "path" }, path),
      el("h3", null, operation.summary),
    ),
    el(
      "div",
      null,
      prose(operation.description),
      operation.parameters && [
        el("h4", null, "Query"),
        table(
          ["Name", "Type", "Description"],
          operation.parameters.map((it) => row(it.name, it.schema, it.required, it.description)),
        ),
      ],
      body && [el("h4", null, "Body"), prose(body.description), fields(body)],
      tryForm(method, path, operation),
      el("h4", null, "Responses"),
      table(["Status", "Description"], Object.entries(operation.responses).map(responseRow)),
    ),
  );
}

function reveal() {
  const target = by(decodeURIComponent(location.hash.slice(1)));
  if (target && target.matches("details")) {
    target.open = true;
    target.scrollIntoView();
  }
}

async function show() {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error("openapi.json: " + response.status);
  api = await response.json();
  by("version").textContent = api.info.version;
  by("about").replaceChildren(...prose(api.info.description));
  const operations = Object.entries(api.paths).flatMap(([path, methods]) => {
    const { head, ...shown } = methods;
    return Object.entries(shown).map(([method, operation]) => ({
      path,
      method,
      operation,
      others: head && method === "get" ? ["head"] : [],
    }));
  });
  const list = (title, links) => [
    el("p", null, title),
    el(
      "ul",
      null,
      links.map(([id, text]) => el("li", null, el("a", { href: "#" + id }, text))),
    ),
  ];
  for (const { name, description } of api.tags) {
    const tagged = operations.filter(({ operation }) => operation.tags.includes(name));
    by("nav").append(
      ...list(
        name,
        tagged.map(({ method, path, operation }) => [
          operation.operationId,
          `${method.toUpperCase()} ${path}`,
        ]),
      ),
    );
    by("paths").append(
      el("h2", null, name),
      ...prose(description),
      ...tagged.map((it) => card(it.method, it.path, it.operation, it.others)),
    );
  }
  const schemas = Object.entries(api.components.schemas);
  by("nav").append(
    ...list(
      "Schemas",
      schemas.map(([name]) => [name, name]),
    ),
  );
  by("paths").append(
    el("h2", null, "Schemas"),
    el("p", null, "Request and response bodies."),
    ...schemas.map(([name, schema]) =>
      el(
        "details",
        { class: "card", id: name },
        el("summary", null, el("code", { class: "path" }, name)),
        el("div", null, prose(schema.description), fields(schema)),
      ),
    ),
  );
  if (location.hash) reveal();
  else by("paths").querySelector("details").open = true;
  addEventListener("hashchange", reveal);
  by("contents").open = matchMedia("(min-width: 60.01rem)").matches;
}

show().catch((error) =>
  by("paths").replaceChildren(el("p", { class: "bad" }, "Cannot show this page: " + error.message)),
);
