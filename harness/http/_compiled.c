/* The functions of `plain.py`, compiled. The two give equal results, which a property test holds them to; read that one first. */

#define _GNU_SOURCE /* memmem */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#define LONGEST_HEAD 2048 /* as in framing.py: longer heads are not remembered */

/* Where a plain message lies. */
typedef struct {
    PyObject *head; /* borrowed from what is known of heads */
    Py_ssize_t body, end, status;
} Found;

/* Look for a whole plain message at `at`: 1 if there is one, 0 if not, -1 after an error. */
static int look(PyObject *data, Py_ssize_t at, PyObject *plain, Found *found)
{
    const char *bytes = PyBytes_AS_STRING(data);
    Py_ssize_t size = PyBytes_GET_SIZE(data), window = size - at < LONGEST_HEAD ? size - at : LONGEST_HEAD;
    if (window <= 0)
        return 0;
    const char *blank = memmem(bytes + at, (size_t)window, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    found->body = blank - bytes + 4;
    PyObject *text = PyBytes_FromStringAndSize(bytes + at, found->body - at);
    if (!text)
        return -1;
    PyObject *known = PyDict_GetItemWithError(plain, text);
    Py_DECREF(text);
    if (!known)
        return PyErr_Occurred() ? -1 : 0;
    if (!PyTuple_Check(known) || PyTuple_GET_SIZE(known) != 3) {
        PyErr_SetString(PyExc_TypeError, "a known head is (head, body_bytes, status)");
        return -1;
    }
    found->head = PyTuple_GET_ITEM(known, 0);
    Py_ssize_t length = PyLong_AsSsize_t(PyTuple_GET_ITEM(known, 1));
    found->status = PyLong_AsSsize_t(PyTuple_GET_ITEM(known, 2));
    if (PyErr_Occurred())
        return -1;
    if (length < 0 || length > size - found->body)
        return 0;
    found->end = found->body + length;
    return 1;
}

static PyObject *take(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *data, *plain, *make, *messages;
    Py_ssize_t at, most;
    int with_head;
    if (!PyArg_ParseTuple(arguments, "SnO!OO!np", &data, &at, &PyDict_Type, &plain, &make, &PyList_Type, &messages, &most,
                          &with_head))
        return NULL;
    if (at < 0) {
        PyErr_SetString(PyExc_ValueError, "a place before the beginning");
        return NULL;
    }
    Found found;
    int there = 0;
    for (; most > 0 && (there = look(data, at, plain, &found)) > 0; most--) {
        Py_ssize_t from = with_head ? at : found.body;
        PyObject *head = Py_NewRef(found.head); /* `make` is Python code, which may have the head forgotten */
        PyObject *content = PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + from, found.end - from);
        PyObject *parts[] = {head, content};
        PyObject *message = content ? PyObject_Vectorcall(make, parts, 2, NULL) : NULL;
        Py_DECREF(head);
        Py_XDECREF(content);
        int failed = !message || PyList_Append(messages, message) < 0;
        Py_XDECREF(message);
        if (failed)
            return NULL;
        at = found.end;
    }
    return there < 0 ? NULL : PyLong_FromSsize_t(at);
}

/* Whether the body begins with one of `expected`; any does if there are none. -1 after an error. */
static int begins(const char *body, Py_ssize_t size, PyObject *expected)
{
    if (!PyTuple_Check(expected)) {
        PyErr_SetString(PyExc_TypeError, "what a body may begin with is a tuple of bytes");
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(expected);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *beginning = PyTuple_GET_ITEM(expected, i);
        if (!PyBytes_Check(beginning)) {
            PyErr_SetString(PyExc_TypeError, "what a body may begin with is a tuple of bytes");
            return -1;
        }
        Py_ssize_t length = PyBytes_GET_SIZE(beginning);
        if (length <= size && memcmp(body, PyBytes_AS_STRING(beginning), (size_t)length) == 0)
            return 1;
    }
    return count == 0;
}

static PyObject *count_right(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *data, *plain, *which, *expected;
    Py_ssize_t at;
    if (!PyArg_ParseTuple(arguments, "SnO!O!O!", &data, &at, &PyDict_Type, &plain, &PyList_Type, &which, &PyList_Type,
                          &expected))
        return NULL;
    if (at < 0) {
        PyErr_SetString(PyExc_ValueError, "a place before the beginning");
        return NULL;
    }
    Py_ssize_t count = 0;
    for (Found found; count < PyList_GET_SIZE(which); count++) {
        int there = look(data, at, plain, &found);
        if (there < 0)
            return NULL;
        if (!there || found.status < 200 || found.status > 299)
            break;
        Py_ssize_t asked = PyLong_AsSsize_t(PyList_GET_ITEM(which, count));
        if (asked == -1 && PyErr_Occurred())
            return NULL;
        if (asked < 0 || asked >= PyList_GET_SIZE(expected)) {
            PyErr_SetString(PyExc_IndexError, "an exchange that there is not");
            return NULL;
        }
        int right = begins(PyBytes_AS_STRING(data) + found.body, found.end - found.body, PyList_GET_ITEM(expected, asked));
        if (right < 0)
            return NULL;
        if (!right)
            break;
        at = found.end;
    }
    return Py_BuildValue("nn", count, at);
}

static PyObject *framed(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *start, *bodies;
    if (!PyArg_ParseTuple(arguments, "SO!", &start, &PyList_Type, &bodies))
        return NULL;
    enum { LENGTH_BYTES = 24 }; /* the digits of any length, and the line's and the head's end */
    Py_ssize_t room = 0, start_bytes = PyBytes_GET_SIZE(start);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(bodies); i++) {
        PyObject *body = PyList_GET_ITEM(bodies, i);
        if (!PyBytes_Check(body))
            return PyErr_Format(PyExc_TypeError, "a body is bytes");
        Py_ssize_t needed = start_bytes + LENGTH_BYTES;
        if (PyBytes_GET_SIZE(body) > PY_SSIZE_T_MAX - needed - room)
            return PyErr_NoMemory();
        room += needed + PyBytes_GET_SIZE(body);
    }
    PyObject *made = PyBytes_FromStringAndSize(NULL, room);
    if (!made)
        return NULL;
    char *to = PyBytes_AS_STRING(made);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(bodies); i++) {
        PyObject *body = PyList_GET_ITEM(bodies, i);
        Py_ssize_t size = PyBytes_GET_SIZE(body), rest = size;
        char digits[LENGTH_BYTES], *digit = digits + sizeof digits;
        memcpy(digit -= 4, "\r\n\r\n", 4);
        do
            *--digit = (char)('0' + rest % 10);
        while (rest /= 10);
        memcpy(to, PyBytes_AS_STRING(start), (size_t)start_bytes);
        to += start_bytes;
        memcpy(to, digit, (size_t)(digits + sizeof digits - digit));
        to += digits + sizeof digits - digit;
        memcpy(to, PyBytes_AS_STRING(body), (size_t)size);
        to += size;
    }
    return _PyBytes_Resize(&made, to - PyBytes_AS_STRING(made)) < 0 ? NULL : made;
}

static PyMethodDef methods[] = {
    {"take", take, METH_VARARGS, "See plain.py."},
    {"count_right", count_right, METH_VARARGS, "See plain.py."},
    {"framed", framed, METH_VARARGS, "See plain.py."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_compiled", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__compiled(void) { return PyModule_Create(&definition); }
