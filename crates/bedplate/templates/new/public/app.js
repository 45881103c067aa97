// A page on nothing but fetch: it lists and edits todos through /api/v1 as one of the users of seed.dev.sql.
// The token comes from /dev/token, which exists only while `bedplate dev` runs.

const $ = (id) => document.getElementById(id);
let token = null;

async function call(method, path, body) {
  const headers = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 204) return {};
  const answer = await response.json();
  if (!response.ok) throw new Error(explain(answer));
  return answer;
}

// A problem document (RFC 9457) as text: what happened, and which fields are at fault.
function explain(problem) {
  const fields = Object.entries(problem.details ?? {}).map(([name, faults]) => `${name}: ${faults.join(", ")}`);
  return [problem.detail ?? problem.title, ...fields].join("\n");
}

function guard(action) {
  return async (event) => {
    event?.preventDefault?.();
    $("message").textContent = "";
    try {
      await action(event);
    } catch (error) {
      $("message").textContent = error.message;
    }
  };
}

function make(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function row(todo) {
  const item = make("li", { className: todo.done ? "done" : "" });
  const box = make("input", { type: "checkbox", checked: todo.done, ariaLabel: "done" });
  box.onchange = guard(async () => {
    await call("PATCH", `/api/v1/todos/${todo.id}`, { done: box.checked });
    await list();
  });
  const remove = make("button", { textContent: "Delete" });
  remove.onclick = guard(async () => {
    await call("DELETE", `/api/v1/todos/${todo.id}`);
    await list();
  });
  item.append(box, make("span", { textContent: todo.title }), remove);
  return item;
}

async function list() {
  const caller = token;
  const { data } = await call("GET", "/api/v1/todos?select=id,title,done&order=created_at.desc,id.desc");
  if (caller !== token) return;
  $("todos").replaceChildren(...data.map(row));
}

async function signIn(user) {
  const { data } = await call("POST", "/dev/token", { user });
  // Somebody else was chosen while the answer was on its way.
  if (user !== $("user").value) return;
  token = data.access_token;
  await list();
}

$("user").onchange = guard(() => signIn($("user").value));
$("add").onsubmit = guard(async () => {
  await call("POST", "/api/v1/todos", Object.fromEntries(new FormData($("add"))));
  $("add").reset();
  await list();
});

guard(async () => {
  const response = await fetch("/dev/users");
  if (!response.ok) throw new Error("This page signs in through `bedplate dev`; start that.");
  const { data: users } = await response.json();
  $("user").replaceChildren(...users.map((name) => new Option(name, name)));
  await signIn(users[0]);
})();
