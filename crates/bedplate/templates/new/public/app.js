// A page on plain fetch: what the API gives, and nothing else.
const $ = (id) => document.getElementById(id);

async function api(method, path, body) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem("token")}` };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(`/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (answer.status === 204) return null;
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.detail ?? value.title);
  return value.data;
}

async function attempt(work) {
  $("message").textContent = "";
  try {
    await work();
  } catch (error) {
    $("message").textContent = error.message;
  }
}

function row(todo) {
  const item = document.createElement("li");
  item.classList.toggle("done", todo.done);
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: todo.done });
  box.onchange = () => attempt(async () => {
    await api("PATCH", `todos/${todo.id}`, { done: box.checked });
    await list();
  });
  const remove = Object.assign(document.createElement("button"), { textContent: "Delete" });
  remove.onclick = () => attempt(async () => {
    await api("DELETE", `todos/${todo.id}`);
    await list();
  });
  const title = Object.assign(document.createElement("span"), { textContent: todo.title });
  item.append(box, title, remove);
  return item;
}

async function list() {
  const todos = await api("GET", "todos?select=id,title,done&order=created_at.desc");
  $("todos").replaceChildren(...todos.map(row));
  $("sign-in").hidden = true;
  $("add").hidden = false;
}

$("sign-in").onsubmit = (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value.trim());
  attempt(list);
};

$("add").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    await api("POST", "todos", { title: $("title").value });
    $("title").value = "";
    await list();
  });
};

if (sessionStorage.getItem("token")) attempt(list);
