/* Lets the server drop whole days, so many days after they began.
 *
 *   mongosh mongodb://HOST/orderbooks --eval 'var keepDays = 90' retention.js
 *
 * keepDays counts today, as STORE_KEEP does; at least 2, so that what is on its way at midnight still
 * arrives; 0: for ever. Run again it changes nothing, with another number it changes that. Needs
 * createIndex, collMod and dropIndex (the role dbAdmin). Works on what apply.js has made. */
"use strict";

{
        const fs = require("fs");
        const path = require("path");
        const file = path.join(__dirname, "collections.json");
        const { collections } = EJSON.parse(fs.readFileSync(file, "utf8"));
        const days = typeof keepDays === "number" ? keepDays : NaN;
        const KEY = { day: 1 };
        let changed = 0;

        const note = (name, text) => {
                print(`${name}: ${text}`);
                changed++;
        };

        const present = (name) =>
                db.runCommand({ listIndexes: name }).cursor.firstBatch.find(
                        ({ key }) => EJSON.stringify(key) === EJSON.stringify(KEY)
                );

        const drop = (name, index) => {
                if (!index)
                        return;
                db.runCommand({ dropIndexes: name, index: index.name });
                note(name, "kept for ever");
        };

        const keep = (name, index, seconds) => {
                if (!index) {
                        const made = { name: "retention", key: KEY, expireAfterSeconds: seconds };
                        db.runCommand({ createIndexes: name, indexes: [made] });
                } else if (Number(index.expireAfterSeconds) !== seconds) {
                        const wanted = { keyPattern: KEY, expireAfterSeconds: seconds };
                        db.runCommand({ collMod: name, index: wanted });
                } else {
                        return;
                }
                note(name, `kept for ${days} days`);
        };

        if (db.getName() === "test")
                throw new Error("name the database in the URI: mongodb://HOST/orderbooks");
        if (!Number.isInteger(days) || days < 0 || days === 1 || days > 20000)
                throw new Error("--eval 'var keepDays = N': N is 0 (for ever), or 2 to 20000");
        for (const { name, of_a_day: ofADay } of collections) {
                if (!ofADay)
                        continue;
                if (days === 0)
                        drop(name, present(name));
                else
                        keep(name, present(name), days * 86400);
        }
        print(`${db.getName()}: ${days === 0 ? "no" : days} days of retention, ${changed} changes`);
}
